"""The same pool in simpy: processes and objects instead of arrays and a compiled loop.

Written from the documentation of `Pool`, to be slow and plain; only the length of a spot node's
life is drawn by the same function. Without consolidation.
"""

from dataclasses import dataclass, field

import simpy

from hub_costs.whatif.kernel import nodes


@dataclass(eq=False)
class Node:
    number: int
    shape: int
    zone: int
    spot: bool
    start: int
    usable: int
    cpu: int
    mem: int
    slots: int
    pods: list = field(default_factory=list)
    held: int = 0
    idle_since: int = -1
    end: int | None = None
    taken: bool = False


@dataclass(eq=False)
class Pod:
    number: int
    arrival: int
    left: int
    cpu: int
    mem: int
    zone: int
    first: int = -1
    waited: int = 0
    taken: int = 0
    done: bool = False
    stretches: list = field(default_factory=list)


class Oracle:
    def __init__(self, settings, shapes, pods):
        self.s, self.shapes = settings, shapes
        self.env = simpy.Environment(initial_time=min([0, *(p.arrival for p in pods)]))
        self.nodes, self.alive, self.queue, self.missing = [], [], [], 0
        self.pods = pods
        self.processes = {}

    def run(self):
        for _ in range(self.s["min_nodes"]):
            if node := self.launch(0, 0, None):
                self.watch(node)
        self.missing = self.s["hold"]
        self.hold()
        for pod in self.pods:
            self.processes[pod.number] = self.env.process(self.live(pod))
        everyone = simpy.AllOf(self.env, list(self.processes.values()))
        self.env.run(everyone)
        self.env.run(max(self.env.now, self.s["horizon"]) + 1)
        while self.env.peek() < float("inf"):
            stays = len(self.alive) <= self.s["min_nodes"] or self.s["hold"]
            if stays:
                break
            self.env.step()
        return self

    # Nodes
    def launch(self, cpu, mem, zone):
        fitting = [k for k, s in enumerate(self.shapes) if s[0] >= cpu and s[1] >= mem]
        zones = range(self.s["zones"])
        many = {z: sum(n.zone == z for n in self.alive) for z in zones}
        zone = min(zones, key=lambda z: (many[z], z)) if zone is None else zone
        if not fitting or (self.s["zone_max"] and many[zone] >= self.s["zone_max"]):
            return None
        number, now, share = len(self.nodes), self.env.now, self.s["share"]
        spot = (number + 1) * share // 10000 > number * share // 10000
        usable = now + self.s["start"] + self.s["pull"]
        node = Node(number, fitting[0], zone, spot, now, usable, *self.shapes[fitting[0]])
        self.nodes.append(node)
        self.alive.append(node)
        if spot and self.s["mean_life"]:
            self.env.process(self.take(node))
        return node

    def take(self, node):
        yield self.env.timeout(
            int(nodes.spot_life(self.s["seed"], node.number, self.s["mean_life"]))
        )
        if node.end is None:
            pods = list(node.pods)
            for pod in pods:
                self.off(pod, node)
            self.close(node)
            node.taken = True
            for pod in pods:
                self.processes[pod.number].interrupt()
            yield self.env.timeout(0)
            self.serve()

    def close(self, node):
        node.end = self.env.now
        self.alive.remove(node)
        self.missing += node.held
        node.held = 0

    def watch(self, node):
        node.idle_since = self.env.now
        self.env.process(self.idle(node, self.env.now))

    def idle(self, node, since):
        wait = max(self.env.now, node.usable) + self.s["down_delay"] - self.env.now
        while True:
            yield self.env.timeout(wait)
            if node.end is not None or node.pods or node.idle_since != since:
                return
            if len(self.alive) > self.s["min_nodes"] and self.clear(node):
                self.close(node)
                self.serve()
                return
            wait = max(self.s["down_delay"], 600_000)

    # Placeholders
    def room_for_placeholder(self, but=None):
        size = self.s["hold_cpu"], self.s["hold_mem"]
        for node in self.alive:  # in order of age
            if node is not but and node.cpu >= size[0] and node.mem >= size[1] and node.slots:
                return node
        return None

    def held(self, node, more):
        node.cpu -= more * self.s["hold_cpu"]
        node.mem -= more * self.s["hold_mem"]
        node.slots -= more
        node.held += more

    def hold(self):
        while self.missing:
            node = self.room_for_placeholder()
            if node is None:
                node = self.launch(self.s["hold_cpu"], self.s["hold_mem"], None)
                if node is None:
                    return
                self.watch(node)
            self.held(node, 1)
            self.missing -= 1

    def clear(self, node):
        while node.held:
            other = self.room_for_placeholder(node)
            if other is None:
                return False
            self.held(node, -1)
            self.held(other, 1)
        return True

    # Pods
    def rank(self, node, pod):
        """How good a node is for a pod (smaller is better), or None."""
        held = node.held
        if pod.zone is not None and node.zone != pod.zone:
            return None
        if node.cpu + held * self.s["hold_cpu"] < pod.cpu or node.slots + held < 1:
            return None
        if node.mem + held * self.s["hold_mem"] < pod.mem:
            return None
        drops = node.cpu < pod.cpu or node.mem < pod.mem or node.slots < 1
        tier = (2 if node.usable > self.env.now else 0) + drops
        cpu, mem, _ = self.shapes[node.shape]
        free = node.cpu / cpu + node.mem / mem
        return tier, free if self.s["pack"] else -free, node.number

    def find(self, pod):
        ranked = [(r, n) for n in self.alive if (r := self.rank(n, pod)) is not None]
        return min(ranked, key=lambda one: one[0])[1] if ranked else None

    def place(self, pod):
        node = self.find(pod) or self.launch(pod.cpu, pod.mem, pod.zone)
        if node is None:
            return None
        while node.cpu < pod.cpu or node.mem < pod.mem or node.slots < 1:
            self.held(node, -1)
            self.missing += 1
        node.cpu -= pod.cpu
        node.mem -= pod.mem
        node.slots -= 1
        node.pods.append(pod)
        node.idle_since = -1
        self.hold()
        return node

    def off(self, pod, node):
        node.pods.remove(pod)
        node.cpu += pod.cpu
        node.mem += pod.mem
        node.slots += 1

    def serve(self):
        for pod, asked in list(self.queue):
            node = self.place(pod)
            if node is not None:
                self.queue.remove((pod, asked))
                asked.succeed(node)
        self.hold()

    def live(self, pod):
        yield self.env.timeout(pod.arrival - self.env.now)
        since = self.env.now
        while True:
            node = self.place(pod)
            if node is None:
                asked = self.env.event()
                self.queue.append((pod, asked))
                yield asked | self.env.timeout(self.s["give_up"])
                if not asked.triggered:
                    self.queue.remove((pod, asked))
                    pod.waited += self.env.now - since
                    return
                node = asked.value
            ready = max(self.env.now, node.usable) + self.s["pod_start"]
            try:
                yield self.env.timeout(ready - self.env.now)
            except simpy.Interrupt:
                continue
            pod.waited += ready - since
            pod.first = ready if pod.first < 0 else pod.first
            try:
                yield self.env.timeout(pod.left)
            except simpy.Interrupt:
                pod.stretches.append((node.number, ready, self.env.now))
                pod.left -= self.env.now - ready
                pod.taken += 1
                since = self.env.now
                continue
            pod.stretches.append((node.number, ready, self.env.now))
            pod.done = True
            self.off(pod, node)
            if not node.pods:
                self.watch(node)
            self.serve()
            return
