"""The replay of one pool of nodes, event by event; compiled by numba.

`run` is the loop; above it is what can happen to nodes and pods, below it what each event does.
All of it is in one file since numba's cache notices changes in a function's own file only.
Times are integer milliseconds, cores thousandths, memory MiB: sums are exact and ties have one
meaning. A record array holds each kind of thing; `World` holds the arrays. Nothing grows: where an
array is full, `w.count.full` is set, every step stops, and the caller starts anew with larger ones.
"""

# numba types these functions itself.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators

from collections import namedtuple
from heapq import heappop, heappush

import numpy as np
from numba import njit

# numba compiles a function once more for each literal it is called with: pass these instead.
NONE, ZERO, ONE = np.int64(-1), np.int64(0), np.int64(1)
READY_NOW, ANY = np.int64(1), np.int64(4)  # how many tiers of `best` count
FOREVER = np.int64(2**62)
POD_ENDS, NODE_TAKEN, NODE_IDLE = 0, 1, 2  # events at one instant happen in this order
RECHECK = 600_000  # ms after which an idle node that was kept on purpose is judged again


def _record(fields: str) -> np.dtype:
    # One integer type for all: another would compile every function again.
    return np.dtype([(name, "i8") for name in fields.split()])


# One pool's settings; `share` is in ten-thousandths, `below` in thousandths of a node.
SETTINGS = _record(
    "start pull pod_start down_delay give_up zones zone_max pack hold hold_cpu hold_mem"
    " min_nodes below share mean_life seed horizon"
)
SHAPE = _record("cpu mem pods")
# A node slot, used again when its node is gone. Free room has placeholders taken off already.
NODE = _record("usable expire take cpu mem pods shape zone spot head count held life at")
# `next` and `prev` link pods on one node, or in the queue. `first` is -1 until a pod first runs.
POD = _record(
    "left ready end since queued first waited slot next prev taken moved done cpu mem zone"
)
LIFE = _record("start end shape zone spot taken")
STRETCH = _record("start end pod life")
COUNT = _record("full slots live lives stretches head tail queued done missing spare")

World = namedtuple("World", "set shapes nodes pods lives stretches zones live spare count")


@njit(cache=True)
def spot_life(seed, life, mean):
    """Return how long (ms) spot node number `life` lasts: exponential, the same in every run.

    The uniform number is the splitmix64 hash (Steele, Lea, Flood 2014) of seed and number, so that
    it does not depend on what else happened.
    """
    x = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64(life + 1) * np.uint64(0xD1B54A32D192ED03)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    uniform = (np.float64(x >> np.uint64(11)) + 0.5) / 9007199254740992.0
    return np.int64(-np.log(uniform) * mean) + 1


@njit(cache=True)
def launch(w, events, now, cpu, mem, zone):
    """Start a node of the first shape that holds the request; return its slot, or -1."""
    s, c = w.set[0], w.count[0]
    shape = -1
    for k in range(w.shapes.shape[0]):
        if w.shapes[k].cpu >= cpu and w.shapes[k].mem >= mem:
            shape = k
            break
    if zone < 0:  # anywhere: where there are fewest
        zone = 0
        for z in range(1, s.zones):
            if w.zones[z] < w.zones[zone]:
                zone = z
    if shape < 0 or (s.zone_max > 0 and w.zones[zone] >= s.zone_max):
        return -1
    if c.lives == w.lives.shape[0] or (c.spare == 0 and c.slots == w.nodes.shape[0]):
        c.full = 1
        return -1
    if c.spare > 0:
        c.spare -= 1
        slot = w.spare[c.spare]
    else:
        slot = c.slots
        c.slots += 1
    number = c.lives
    c.lives += 1
    w.zones[zone] += 1
    spot = ((number + 1) * s.share) // 10000 - (number * s.share) // 10000
    node, life = w.nodes[slot], w.lives[number]
    node.shape, node.zone, node.spot, node.life = shape, zone, spot, number
    node.cpu, node.mem = w.shapes[shape].cpu, w.shapes[shape].mem
    node.pods = w.shapes[shape].pods
    node.usable = now + s.start + s.pull
    node.head, node.count, node.held = -1, 0, 0
    node.expire, node.take = FOREVER, FOREVER
    node.at = c.live
    w.live[c.live] = slot
    c.live += 1
    life.shape, life.zone, life.spot, life.taken = shape, zone, spot, 0
    life.start, life.end = now, -1
    if spot == 1 and s.mean_life > 0:
        node.take = now + spot_life(s.seed, number, s.mean_life)
        heappush(events, (node.take, NODE_TAKEN, np.int64(slot)))
    return slot


@njit(cache=True)
def end_node(w, slot, now, taken):
    """Take a node away; its pods must have been released."""
    c, node = w.count[0], w.nodes[slot]
    life = w.lives[node.life]
    life.end, life.taken = now, taken
    w.zones[node.zone] -= 1
    c.missing += node.held
    c.live -= 1
    last = w.live[c.live]
    w.live[node.at] = last
    w.nodes[last].at = node.at
    node.expire, node.take, node.held = FOREVER, FOREVER, 0
    w.spare[c.spare] = slot
    c.spare += 1


@njit(cache=True)
def idle_from(w, events, slot, now):
    """Have a node without pods judged after the scale-down delay."""
    node = w.nodes[slot]
    node.expire = max(now, node.usable) + w.set[0].down_delay
    heappush(events, (node.expire, NODE_IDLE, np.int64(slot)))


@njit(cache=True)
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


@njit(cache=True)
def hold(w, events, now):
    """Find room for the placeholders that have none, starting nodes for them."""
    s, c = w.set[0], w.count[0]
    while c.missing > 0 and c.full == 0:
        slot = oldest_with_room(w, NONE)
        if slot < 0:
            slot = launch(w, events, now, s.hold_cpu, s.hold_mem, NONE)
            if slot < 0:
                return
            idle_from(w, events, slot, now)
        _held(w, slot, ONE)
        c.missing -= 1


@njit(cache=True)
def oldest_with_room(w, but):
    """Return the oldest node with free room for a placeholder, or -1."""
    s, found = w.set[0], -1
    for i in range(w.count[0].live):
        slot = w.live[i]
        node = w.nodes[slot]
        fits = node.cpu >= s.hold_cpu and node.mem >= s.hold_mem and node.pods >= 1
        if fits and slot != but and (found < 0 or node.life < w.nodes[found].life):
            found = slot
    return found


@njit(cache=True)
def _held(w, slot, more):
    s, node = w.set[0], w.nodes[slot]
    node.cpu -= more * s.hold_cpu
    node.mem -= more * s.hold_mem
    node.pods -= more
    node.held += more


@njit(cache=True)
def move_placeholders(w, slot):
    """Move a node's placeholders to free room elsewhere; return whether none is left on it."""
    node = w.nodes[slot]
    while node.held > 0:
        other = oldest_with_room(w, slot)
        if other < 0:
            return False
        _held(w, slot, NONE)
        _held(w, other, ONE)
    return True


@njit(cache=True)
def assign(w, events, p, slot, now):
    """Bind a pod to a node, dropping placeholders for it; it runs when the node is usable."""
    s, node, pod = w.set[0], w.nodes[slot], w.pods[p]
    while node.cpu < pod.cpu or node.mem < pod.mem or node.pods < 1:
        _held(w, slot, NONE)
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


@njit(cache=True)
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


@njit(cache=True)
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
            _give_up(w, now)
            pod = w.pods[i]
            pod.since, pod.first = now, -1
            if not _place(w, events, i, now):
                _enqueue(w, i, now)
            i += 1
            continue
        over = i == n and c.done == n and time > s.horizon
        if time == FOREVER or (over and (c.live <= s.min_nodes or s.hold > 0)):
            break
        _, kind, number = heappop(events)
        now = time
        _give_up(w, now)
        if kind == POD_ENDS:
            _pod_ends(w, events, number, now)
        elif kind == NODE_TAKEN:
            _node_taken(w, events, number, now)
        elif kind == NODE_IDLE:
            _node_idle(w, events, number, now)
        if c.queued > 0 or c.missing > 0:
            _serve(w, events, now)
    _give_up(w, FOREVER)
    _close(w, now)


@njit(cache=True)
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


@njit(cache=True)
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
        if not _place(w, events, gone[k], now):
            _enqueue(w, gone[k], now)


@njit(cache=True)
def _node_idle(w, events, slot, now):
    node = w.nodes[slot]
    if node.expire != now or node.count > 0:
        return
    if w.count[0].live > w.set[0].min_nodes and move_placeholders(w, slot):
        end_node(w, slot, now, ZERO)
    else:
        node.expire = now + max(w.set[0].down_delay, RECHECK)
        heappush(events, (node.expire, NODE_IDLE, np.int64(slot)))


@njit(cache=True)
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


@njit(cache=True)
def _reserve(w, slot, pod, sign):
    node = w.nodes[slot]
    node.cpu += sign * pod.cpu
    node.mem += sign * pod.mem
    node.pods += sign


@njit(cache=True)
def _place(w, events, p, now):
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


@njit(cache=True)
def _serve(w, events, now):
    """Place who queues, first come first served; who fits may pass who does not."""
    p = w.count[0].head
    while p >= 0 and w.count[0].full == 0:
        after = w.pods[p].next
        before = w.pods[p].prev
        if _place(w, events, p, now):  # its links are the node's now
            _unlink(w, before, after)
        p = after
    hold(w, events, now)


@njit(cache=True)
def _enqueue(w, p, now):
    c, pod = w.count[0], w.pods[p]
    pod.queued, pod.next, pod.prev = now, -1, c.tail
    if c.tail >= 0:
        w.pods[c.tail].next = p
    else:
        c.head = p
    c.tail = p
    c.queued += 1


@njit(cache=True)
def _unlink(w, before, after):
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


@njit(cache=True)
def _give_up(w, now):
    """Let those go who have queued too long; the queue is in order of time."""
    c = w.count[0]
    while c.head >= 0 and w.pods[c.head].queued + w.set[0].give_up <= now:
        pod = w.pods[c.head]
        pod.waited += pod.queued + w.set[0].give_up - pod.since
        c.done += 1
        _unlink(w, NONE, pod.next)


@njit(cache=True)
def _close(w, now):
    """End the nodes that are left: idle ones when due, kept ones with the data."""
    s, c = w.set[0], w.count[0]
    for i in range(c.live):
        node = w.nodes[w.live[i]]
        kept = node.held > 0 or c.live <= s.min_nodes
        w.lives[node.life].end = (
            max(now, s.horizon) if kept else max(now, min(node.expire, FOREVER - 1))
        )
