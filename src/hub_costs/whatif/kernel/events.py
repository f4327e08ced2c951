"""The loop over events, and what each of them does."""

# numba types these functions itself.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators

from heapq import heappop, heappush

import numpy as np
from numba import njit

from hub_costs.whatif.kernel.nodes import end_node, hold, idle_from, launch, move_placeholders
from hub_costs.whatif.kernel.pods import assign, best, enqueue, give_up, place, release, serve
from hub_costs.whatif.kernel.records import (
    FOREVER,
    INNER,
    NODE_IDLE,
    NODE_TAKEN,
    NONE,
    ONE,
    POD_ENDS,
    READY_NOW,
    RECHECK,
    ZERO,
)


@njit(cache=True, error_model="numpy")
def run(w, arrivals):
    """Replay pods (sorted by `arrivals`, ms) in the world `w`, until the last is gone."""
    s, c = w.set[0], w.count[0]
    events = [(np.int64(FOREVER), NODE_IDLE, np.int64(-1))]
    c.head, c.tail = -1, -1
    n, i = arrivals.shape[0], np.int64(0)
    now = min(arrivals[0], ZERO) if n > 0 else ZERO
    for _ in range(s.min_nodes):
        slot = launch(w, events, now, ZERO, ZERO, NONE)
        if slot >= 0:
            idle_from(w, events, slot, now)
    c.missing = s.hold
    hold(w, events, now)
    while c.full == 0:
        time = events[0][0]
        if i < n and arrivals[i] < time:
            now = arrivals[i]
            give_up(w, now)
            pod = w.pods[i]
            pod.since, pod.first = now, -1
            if not place(w, events, i, now):
                enqueue(w, i, now)
            i += 1
            continue
        give_up(w, time)  # who leaves before the next event may have been the last
        over = i == n and c.done == n and time > s.horizon
        if time == FOREVER or (over and (c.live <= s.min_nodes or s.hold > 0)):
            break
        _, kind, number = heappop(events)
        now = time
        if kind == POD_ENDS:
            _pod_ends(w, events, number, now)
        elif kind == NODE_TAKEN:
            _node_taken(w, events, number, now)
        elif kind == NODE_IDLE:
            _node_idle(w, events, number, now)
        if c.queued > 0 or c.missing > 0:
            serve(w, events, now)
    _close(w, now)


@njit(**INNER)
def _pod_ends(w, events, p, now):
    pod = w.pods[p]
    if pod.end != now or pod.slot < 0:
        return  # it was moved or taken since
    slot = pod.slot
    release(w, p, now)
    if w.count[0].full:
        return
    pod.done = 1
    w.count[0].done += 1
    if w.nodes[slot].count == 0:
        idle_from(w, events, slot, now)
    elif w.set[0].below > 0:
        _consolidate(w, events, slot, now)


@njit(**INNER)
def _node_taken(w, events, slot, now):
    """A spot node goes; its pods start again elsewhere with what they had left."""
    node = w.nodes[slot]
    if node.take != now:
        return
    count, head = node.count, node.head
    gone = np.empty(count, np.int64)
    for k in range(count):
        gone[k] = head
        head = w.pods[head].next
    for k in range(count - 1, -1, -1):  # who came first is placed first
        p = gone[k]
        w.pods[p].taken += w.pods[p].ready <= now
        release(w, p, now)
    end_node(w, slot, now, ONE)
    for k in range(count - 1, -1, -1):
        if not place(w, events, gone[k], now):
            enqueue(w, gone[k], now)


@njit(**INNER)
def _node_idle(w, events, slot, now):
    node = w.nodes[slot]
    if node.expire != now or node.count > 0:
        return
    if w.count[0].live > w.set[0].min_nodes and move_placeholders(w, slot):
        end_node(w, slot, now, ZERO)
    else:
        node.expire = now + max(w.set[0].down_delay, RECHECK)
        heappush(events, (node.expire, NODE_IDLE, np.int64(slot)))


@njit(**INNER)
def _consolidate(w, events, slot, now):
    """Empty a little used node if all its pods fit on others that are usable now."""
    s, node = w.set[0], w.nodes[slot]
    shape = w.shapes[node.shape]
    used = max(
        1000 * (shape.cpu - node.cpu) // shape.cpu, 1000 * (shape.mem - node.mem) // shape.mem
    )
    if used >= s.below or node.held > 0 or node.usable > now or w.count[0].live <= s.min_nodes:
        return
    count, head = node.count, node.head
    moving, target = np.empty(count, np.int64), np.empty(count, np.int64)
    fits = 0
    for k in range(count):  # reserve room, pod by pod
        pod = w.pods[head]
        to = best(w, now, pod.cpu, pod.mem, pod.zone, slot, READY_NOW)
        if to < 0 or pod.ready > now:
            break
        moving[k], target[k] = head, to
        _reserve(w, to, pod, NONE)
        fits += 1
        head = pod.next
    for k in range(fits):
        _reserve(w, target[k], w.pods[moving[k]], ONE)
    if fits < count:
        return
    for k in range(count):
        w.pods[moving[k]].moved += 1
        release(w, moving[k], now)
        assign(w, events, moving[k], target[k], now)
    end_node(w, slot, now, ZERO)


@njit(**INNER)
def _reserve(w, slot, pod, sign):
    node = w.nodes[slot]
    node.cpu += sign * pod.cpu
    node.mem += sign * pod.mem
    node.pods += sign


@njit(**INNER)
def _close(w, now):
    """End the nodes that are left: idle ones when due, kept ones with the data."""
    s, c = w.set[0], w.count[0]
    for i in range(c.live):
        node = w.nodes[w.live[i]]
        kept = node.held > 0 or c.live <= s.min_nodes
        w.lives[node.life].end = (
            max(now, s.horizon) if kept else max(now, min(node.expire, FOREVER - 1))
        )
