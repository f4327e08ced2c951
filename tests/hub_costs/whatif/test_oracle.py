"""The compiled replay against an independent one in simpy, and what must hold in any replay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_costs.whatif.replay import _settings, replay
from tests.hub_costs.whatif.cases import config, sessions
from tests.hub_costs.whatif.oracle import Oracle, Pod

sizes = st.sampled_from([(0.5, 2.0), (1.9, 1.0), (0.1, 14.0), (3.0, 8.0), (1.0, 31.0)])
# Odd milliseconds: two unrelated events practically never fall together.
span = st.tuples(st.integers(0, 6_000_000), st.integers(1_001, 4_000_000), sizes, st.integers(0, 5))
pools = st.fixed_dictionaries(
    {
        "packing": st.sampled_from(["most", "least"]),
        "instance_types": st.sampled_from([("r5.xlarge",), ("r5.large", "r5.2xlarge")]),
        "scale_down_delay_seconds": st.sampled_from([0, 77.707, 901.113]),
        "node_start_seconds": st.sampled_from([0, 100.003, 1500.029]),
        "image_pull_seconds": st.sampled_from([0, 61.019]),
        "max_nodes_per_zone": st.sampled_from([None, 1, 2]),
        "give_up_seconds": st.sampled_from([333.337, 3600]),
        "spot_share": st.sampled_from([0, 0.5, 1]),
        "interruptions_per_hour": st.sampled_from([0, 2.0]),
        "placeholders": st.sampled_from([0, 1, 3]),
        "placeholder_cpu_cores": st.sampled_from([0.9, 1.9]),
        "zonal_homes": st.booleans(),
        "zones": st.sampled_from([1, 2]),
    }
)


def load(spans):
    return sessions(
        *(
            (a / 1000, (a + b) / 1000, {"cpu_cores": c, "memory_gib": m, "user": f"u{u}-{n}"})
            for n, (a, b, (c, m), u) in enumerate(spans)
        )
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(span, min_size=1, max_size=25, unique_by=lambda s: s[0]), pools)
def test_the_replay_agrees_with_simpy_in_every_node_and_every_wait(spans, changes):
    data, setup = load(spans), config(**changes)
    (mine,) = replay(data, setup)
    horizon = int((data.end - data.start).total_seconds() * 1000 + 0.5)
    chosen = _settings(setup.pools[0], setup, horizon)[0]
    plain = {name: int(chosen[name]) for name in chosen.dtype.names}
    pods = [
        Pod(
            n,
            int(a),
            int(w),
            int(p["cpu"]),
            int(p["mem"]),
            None if p["zone"] < 0 else int(p["zone"]),
        )
        for n, (a, w, p) in enumerate(zip(mine.arrivals, mine.lengths, mine.pods, strict=True))
    ]
    theirs = Oracle(plain, [tuple(map(int, s)) for s in mine.shapes], pods).run()
    for pod, p in zip(pods, mine.pods, strict=True):
        assert (pod.first, pod.waited, pod.taken, pod.done) == (
            p["first"],
            p["waited"],
            p["taken"],
            p["done"],
        )
    assert len(theirs.nodes) == len(mine.lives)
    for node, life in zip(theirs.nodes, mine.lives, strict=True):
        assert (node.start, node.shape, node.zone, node.spot) == (
            life["start"],
            life["shape"],
            life["zone"],
            life["spot"],
        )
        if node.end is not None:
            assert (node.end, node.taken) == (life["end"], life["taken"])
    runs = sorted((p.number, *stretch) for p in pods for stretch in p.stretches)
    logged = mine.stretches[["pod", "life", "start", "end"]].tolist()
    assert runs == sorted(logged)


consolidating = pools.map(lambda p: {**p, "consolidate_below": 0.6})


@settings(max_examples=80, deadline=None)
@given(st.lists(span, min_size=1, max_size=40), st.one_of(pools, consolidating))
def test_every_second_of_a_session_is_on_exactly_one_node_or_waiting(spans, changes):
    (got,) = replay(load(spans), config(**changes))
    assert len(got.rows) + len(got.too_big) == len(spans)
    for n, pod in enumerate(got.pods):
        mine = np.sort(got.stretches[got.stretches["pod"] == n], order="start")
        ran = int((mine["end"] - mine["start"]).sum())
        assert (mine["start"][1:] >= mine["end"][:-1]).all()  # never on two nodes
        if pod["done"]:
            assert ran == got.lengths[n]
            assert int(mine["end"][-1]) == got.arrivals[n] + got.lengths[n] + pod["waited"]
        else:
            assert ran + pod["left"] == got.lengths[n]
    homes = got.lives[got.stretches["life"]]
    assert (homes["start"] <= got.stretches["start"]).all()
    assert (homes["end"] >= got.stretches["end"]).all()
    _never_overfull(got)
    limit = got.pool.max_nodes_per_zone
    for zone in range(2):
        mine = got.lives[got.lives["zone"] == zone]
        at_once = [
            int(((mine["start"] <= t) & (mine["end"] > t)).sum()) for t in mine["start"].tolist()
        ]
        assert limit is None or max(at_once, default=0) <= limit


def _never_overfull(got):
    for life in range(len(got.lives)):
        there = got.stretches[got.stretches["life"] == life]
        shape = got.shapes[got.lives[life]["shape"]]
        for t in there["start"].tolist():
            now = there[(there["start"] <= t) & (there["end"] > t)]["pod"]
            for part in ("cpu", "mem"):
                assert got.pods[part][now].sum() <= shape[part]


def test_full_arrays_are_enlarged_not_overrun(monkeypatch):
    # More nodes at once than the first arrays hold, with an interruption now and then.
    data = sessions(*[(n / 1000, 9000 + n, {"cpu_cores": 3.0}) for n in range(1500)])
    (got,) = replay(data, config(spot_share=1, interruptions_per_hour=0.5))
    assert got.peak == 1500
    assert got.pods["done"].all()
    ran = np.zeros(1500, np.int64)
    np.add.at(ran, got.stretches["pod"], got.stretches["end"] - got.stretches["start"])
    assert (ran == got.lengths).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_is_a_replay(seed):
    data = sessions(*[(n, n + 9000) for n in range(50)])
    setup = config(spot_share=1, interruptions_per_hour=1).model_copy(update={"seed": seed})
    one, two = (replay(data, setup)[0] for _ in range(2))
    assert (one.lives == two.lives).all()
    assert (one.pods == two.pods).all()
