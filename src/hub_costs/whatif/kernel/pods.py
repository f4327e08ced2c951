"""What can happen to pods: which node is best, on it, off it, and in the queue."""

# numba types these functions itself.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators

from heapq import heappush

import numpy as np
from numba import njit

from hub_costs.whatif.kernel.nodes import hold, launch, set_held
from hub_costs.whatif.kernel.records import ANY, FOREVER, INNER, NONE, POD_ENDS


@njit(**INNER)
def best(w, now, cpu, mem, zone, but, tiers):
    """Return the slot where a request fits best, or -1.

    Better is a node that is usable now, then one usable by dropping placeholders, then one still
    starting, then one still starting with placeholders (only the first `tiers` of these count);
    then the fuller node (or the emptier, where the pool spreads); then the older. `but` is a slot
    that does not count.
    """
    s = w.set[0]
    found, found_tier, found_score = -1, tiers, 0.0
    for i in range(w.count[0].live):
        slot = w.live[i]
        node = w.nodes[slot]
        if (
            node.cpu + node.held * s.hold_cpu < cpu
            or node.mem + node.held * s.hold_mem < mem
            or node.pods + node.held < 1
            or (zone >= 0 and node.zone != zone)
            or slot == but
        ):
            continue
        tier = 0 if node.usable <= now else 2
        if node.cpu < cpu or node.mem < mem or node.pods < 1:
            tier += 1
        if tier > found_tier or tier >= tiers:
            continue
        shape = w.shapes[node.shape]
        score = -node.cpu / shape.cpu - node.mem / shape.mem
        if s.pack == 0:
            score = -score
        if (
            tier < found_tier
            or score > found_score
            or (score == found_score and node.life < w.nodes[found].life)
        ):
            found, found_tier, found_score = slot, tier, score
    return found


@njit(**INNER)
def assign(w, events, p, slot, now):
    """Bind a pod to a node, dropping placeholders for it; it runs when the node is usable."""
    s, node, pod = w.set[0], w.nodes[slot], w.pods[p]
    while node.cpu < pod.cpu or node.mem < pod.mem or node.pods < 1:
        set_held(w, slot, NONE)
        w.count[0].missing += 1
    node.cpu -= pod.cpu
    node.mem -= pod.mem
    node.pods -= 1
    node.count += 1
    node.expire = FOREVER
    pod.next, pod.prev = node.head, -1
    if node.head >= 0:
        w.pods[node.head].prev = p
    node.head = p
    pod.slot = slot
    pod.ready = max(now, node.usable) + s.pod_start
    pod.end = pod.ready + pod.left
    heappush(events, (pod.end, POD_ENDS, np.int64(p)))


@njit(**INNER)
def release(w, p, now):
    """Take a pod off its node; log the stretch that it ran and what it waited before."""
    c, pod = w.count[0], w.pods[p]
    node = w.nodes[pod.slot]
    if pod.ready <= now:
        if c.stretches == w.stretches.shape[0]:
            c.full = 1
            return
        stretch = w.stretches[c.stretches]
        c.stretches += 1
        stretch.pod, stretch.life, stretch.start, stretch.end = p, node.life, pod.ready, now
        pod.left -= now - pod.ready
        pod.waited += pod.ready - pod.since
        if pod.first < 0:
            pod.first = pod.ready
        pod.since = now
    node.cpu += pod.cpu
    node.mem += pod.mem
    node.pods += 1
    node.count -= 1
    if pod.prev >= 0:
        w.pods[pod.prev].next = pod.next
    else:
        node.head = pod.next
    if pod.next >= 0:
        w.pods[pod.next].prev = pod.prev
    pod.slot, pod.end = -1, FOREVER


@njit(**INNER)
def place(w, events, p, now):
    """Put a pod on a node, starting one if need be; False where none may be started."""
    pod = w.pods[p]
    slot = best(w, now, pod.cpu, pod.mem, pod.zone, NONE, ANY)
    if slot < 0:
        slot = launch(w, events, now, pod.cpu, pod.mem, pod.zone)
    if slot < 0:
        return False
    assign(w, events, p, slot, now)
    if w.count[0].missing > 0:
        hold(w, events, now)
    return True


@njit(**INNER)
def enqueue(w, p, now):
    """Put a pod at the end of the queue."""
    c, pod = w.count[0], w.pods[p]
    pod.queued, pod.next, pod.prev = now, -1, c.tail
    if c.tail >= 0:
        w.pods[c.tail].next = p
    else:
        c.head = p
    c.tail = p
    c.queued += 1


@njit(**INNER)
def unlink(w, before, after):
    """Close the queue's gap between `before` and `after`."""
    c = w.count[0]
    if before >= 0:
        w.pods[before].next = after
    else:
        c.head = after
    if after >= 0:
        w.pods[after].prev = before
    else:
        c.tail = before
    c.queued -= 1


@njit(**INNER)
def give_up(w, now):
    """Let those go who have queued too long; the queue is in order of time."""
    c = w.count[0]
    while c.head >= 0 and w.pods[c.head].queued + w.set[0].give_up <= now:
        pod = w.pods[c.head]
        pod.waited += pod.queued + w.set[0].give_up - pod.since
        c.done += 1
        unlink(w, NONE, pod.next)


@njit(**INNER)
def serve(w, events, now):
    """Place who queues, first come first served; who fits may pass who does not."""
    p = w.count[0].head
    while p >= 0 and w.count[0].full == 0:
        after = w.pods[p].next
        before = w.pods[p].prev
        if place(w, events, p, now):  # its links are the node's now
            unlink(w, before, after)
        p = after
    hold(w, events, now)
