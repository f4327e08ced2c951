"""What can happen to nodes, and to the placeholders that hold room on them."""

# numba types these functions itself.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators

from heapq import heappush

import numpy as np
from numba import njit

from hub_costs.whatif.kernel.records import FOREVER, INNER, NODE_IDLE, NODE_TAKEN, NONE, ONE


@njit
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


@njit(**INNER)
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


@njit(**INNER)
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


@njit(**INNER)
def idle_from(w, events, slot, now):
    """Have a node without pods judged after the scale-down delay."""
    node = w.nodes[slot]
    node.expire = max(now, node.usable) + w.set[0].down_delay
    heappush(events, (node.expire, NODE_IDLE, np.int64(slot)))


@njit(**INNER)
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


@njit(**INNER)
def set_held(w, slot, more):
    """Put `more` placeholders on a node, or take them off."""
    s, node = w.set[0], w.nodes[slot]
    node.cpu -= more * s.hold_cpu
    node.mem -= more * s.hold_mem
    node.pods -= more
    node.held += more


@njit(**INNER)
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
        set_held(w, slot, ONE)
        c.missing -= 1


@njit(**INNER)
def move_placeholders(w, slot):
    """Move a node's placeholders to free room elsewhere; return whether none is left on it."""
    node = w.nodes[slot]
    while node.held > 0:
        other = oldest_with_room(w, slot)
        if other < 0:
            return False
        set_held(w, slot, NONE)
        set_held(w, other, ONE)
    return True
