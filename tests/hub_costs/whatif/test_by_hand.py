"""Cases small enough to be worked out on paper (see `cases` for the numbers)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub_costs.whatif import kernel
from hub_costs.whatif.kernel import events, nodes
from pangeo_core.errors import BadInput
from tests.hub_costs.whatif.cases import config, lives, run, sessions, waits


def test_a_first_session_waits_for_its_node_and_keeps_its_length():
    result = run(sessions((0, 1000)))
    assert waits(result) == [125]
    assert lives(result) == [(0, 125 + 1000 + 50)]


def test_who_comes_while_the_node_starts_shares_it():
    result = run(sessions((0, 1000), (50, 100)))
    assert waits(result) == [125, 75]
    assert lives(result) == [(0, 1175)]


def test_who_comes_to_a_running_node_waits_for_the_pod_only():
    assert waits(run(sessions((0, 1000), (500, 600)))) == [125, 5]


def test_a_full_node_makes_the_third_session_start_another():
    result = run(sessions((0, 1000), (1, 1000), (2, 1000)))
    assert [life[0] for life in lives(result)] == [0, 2]
    assert result.peak == 2


@pytest.mark.parametrize(("pause", "nodes"), [(49, 1), (50, 2), (51, 2)])
def test_an_empty_node_is_used_again_until_its_delay_is_over(pause, nodes):
    again = 125 + 1000 + pause  # the delay is over at its end, not after it
    assert len(lives(run(sessions((0, 1000), (again, again + 10))))) == nodes


def test_packing_fills_one_node_and_spreading_does_not():
    # Four pods of 1 core, three to a node by 3.92 cores; two nodes run when the fourth comes.
    load = sessions(*[(0, 100)] * 3, (200, 900), (0, 2000), cpu_cores=1.3)
    small = {"cpu_cores": 0.5}
    more = sessions((0, 9000), (0, 9000), (0, 9000, small), (500, 900, small))
    assert len(lives(run(load))) >= 2
    assert lives(run(more, packing="most")) == lives(run(more, packing="most"))
    # Nodes: A has 2 x 1.9 cores, B has 0.5. A pod of 0.1 goes to A or to B.
    tiny = sessions((0, 9000), (0, 9000), (0, 1000, small), (500, 9000, {"cpu_cores": 0.1}))
    assert lives(run(tiny, packing="most"))[1] == (0, 1175)
    assert lives(run(tiny, packing="least"))[1] == (0, 505 + 8500 + 50)


def test_a_node_that_runs_is_better_than_a_fuller_one_that_still_starts():
    load = sessions(
        (0, 5000, {"cpu_cores": 0.5}),
        (200, 5000, {"cpu_cores": 3.6}),
        (210, 220, {"cpu_cores": 0.2}),
    )
    assert waits(run(load)) == [125, 125, 5]


def test_the_first_type_that_holds_the_pod_is_started():
    load = sessions((0, 100), (0, 100, {"cpu_cores": 3.0}), (0, 100, {"cpu_cores": 7.0}))
    result = run(load, instance_types=("r5.large", "r5.xlarge", "r5.2xlarge"))
    assert result.lives["shape"].tolist() == [0, 1, 2]


def test_at_the_limit_people_queue_first_come_first_served():
    three = {"cpu_cores": 3.0}
    result = run(sessions((0, 1000, three), (10, 20, three), (11, 20, three)), max_nodes_per_zone=1)
    # The first ends at 1125; the node is warm then.
    assert waits(result) == [125, 1125 + 5 - 10, 1125 + 5 + 10 + 5 - 11]
    assert len(lives(result)) == 1


def test_who_fits_may_pass_who_does_not():
    load = sessions((0, 1000), (10, 20, {"cpu_cores": 3.0}), (300, 310))
    result = run(load, max_nodes_per_zone=1)
    assert waits(result) == [125, 1125 + 5 - 10, 5]


def test_who_queues_too_long_gives_up_and_is_counted():
    load = sessions((0, 5000, {"cpu_cores": 3.0}), (10, 20), (30, 40))
    result = run(load, max_nodes_per_zone=1, give_up_seconds=600)
    assert waits(result) == [125, 600, 600]
    assert result.gave_up.tolist() == [1, 2]


def test_nothing_happens_after_the_last_has_given_up():
    # The one node there may be is too small and kept for a placeholder; it would be taken later.
    hold = {"placeholders": 1, "placeholder_cpu_cores": 1, "placeholder_memory_gib": 1}
    spot = {
        "spot_share": 1,
        "interruptions_per_hour": 2,
        "instance_types": ("r5.large", "r5.2xlarge"),
    }
    load = sessions((0, 1, {"cpu_cores": 3.0}))
    result = run(load, max_nodes_per_zone=1, give_up_seconds=300, **hold, **spot)
    assert result.gave_up.tolist() == [0]
    assert result.lives["taken"].tolist() == [0]


def test_a_pod_bigger_than_any_node_is_kept_apart():
    result = run(sessions((0, 100), (0, 100, {"memory_gib": 31.1}), (0, 100, {"cpu_cores": 3.93})))
    assert result.too_big.tolist() == [1, 2]
    assert len(result.pods) == 1


def test_a_taken_spot_node_sends_its_pod_elsewhere_with_what_it_had_left():
    spot = {"spot_share": 1, "interruptions_per_hour": 1}
    load = sessions((0, 100_000))
    result = run(load, **spot)
    first, second = (life for life in lives(result)[:2])
    assert first[1] == second[0]  # a new node is asked for when the old one goes
    assert result.lives["taken"].tolist() == [1] * (len(result.lives) - 1) + [0]
    assert result.pods["taken"][0] == len(result.stretches) - 1 > 5
    ran = (result.stretches["end"] - result.stretches["start"]) / 1000
    assert ran[0] == first[1] - 125
    assert ran.sum() == 100_000
    assert result.pods["waited"][0] >= 125_000 * len(result.stretches)
    assert lives(result)[-1][1] == 100_000 + result.pods["waited"][0] / 1000 + 50
    assert lives(run(load, **spot)) == lives(result)  # the same in every run


def test_spot_lives_are_exponential():
    drawn = [nodes.spot_life(7, n, 3_600_000) for n in range(4000)]
    mean = sum(drawn) / len(drawn)
    assert abs(mean / 3_600_000 - 1) < 4 / 4000**0.5
    below = sum(d < 3_600_000 for d in drawn) / len(drawn)
    assert abs(below - (1 - 2.718281828**-1)) < 4 * (0.632 * 0.368 / 4000) ** 0.5


def test_a_share_of_the_nodes_is_spot():
    result = run(sessions(*[(n, n + 10, {"cpu_cores": 3.0}) for n in range(8)]), spot_share=0.25)
    assert result.lives["spot"].sum() == 2


def test_a_placeholder_makes_way_and_takes_another_node():
    hold = {"placeholders": 1, "placeholder_cpu_cores": 3, "placeholder_memory_gib": 1}
    result = run(sessions((1000, 1100), window=(0, 4000)), **hold)
    assert waits(result) == [5]
    # The placeholder's node starts with the data; the person's pod drops it onto a second node.
    # The first is empty 50 s after the session; the second is kept until the data ends.
    assert lives(result) == [(0, 1155), (1000, 4000)]


def test_minimum_nodes_stay_until_the_data_ends():
    result = run(sessions((1000, 1100), window=(0, 4000)), min_nodes=1)
    assert waits(result) == [5]
    assert lives(result) == [(0, 4000)]


def test_consolidation_empties_a_little_used_node():
    small, half = {"cpu_cores": 0.5}, {"cpu_cores": 2.0}
    # A: 2.0 + 1.9 (ends at 625); B: 0.5 + 1.9 (ends at 325), then only 0.5 of it is used.
    load = sessions((0, 5000, half), (1, 501), (2, 5000, small), (3, 203))
    plain, packed = run(load), run(load, consolidate_below=0.3)
    assert [life[0] for life in lives(packed)] == [0, 2]
    assert packed.pods["moved"].sum() == 0  # A had no room when B emptied
    later = sessions((0, 5000, half), (1, 201), (2, 5000, small), (3, 403))
    plain, packed = run(later), run(later, consolidate_below=0.3)
    end = 403 - 3 + 2 + 120 + 5
    assert packed.pods["moved"].tolist() == [0, 0, 1, 0]
    assert lives(packed)[1] == (2, end)
    assert lives(plain)[1] == (2, 127 + 4998 + 50)
    assert packed.pods["waited"][2] == 125_000 + 5_000  # the move restarts the pod


def test_zonal_homes_keep_people_in_their_zone():
    rows = [(0, 1000, {"cpu_cores": 0.1})] * 12
    apart = run(sessions(*rows), zones=2, zonal_homes=True)
    assert sorted(apart.lives["zone"].tolist()) == [0, 1]
    assert len(run(sessions(*rows), zones=2).lives) == 1
    homes = apart.pods["zone"][apart.stretches["pod"]]
    assert (apart.lives["zone"][apart.stretches["life"]] == homes).all()


def test_servers_stop_at_their_maximum_age():
    result = run(sessions((0, 5000)), culling={"max_age_seconds": 1000})
    assert lives(result) == [(0, 1175)]
    worker = run(sessions((0, 5000), kind="dask-worker"), culling={"max_age_seconds": 1000})
    assert lives(worker) == [(0, 5175)]


def test_another_idle_limit_ends_or_prolongs_what_it_would_have():
    from tests.hub_costs.whatif.cases import at

    idle = {"last_activity": at(1000)}
    load = sessions((0, 4600, idle), (0, 1200, idle))  # stopped idle after an hour; logged out
    sooner = run(load, culling={"idle_seconds": 600})
    assert sooner.lengths.tolist() == [1_600_000, 1_200_000]
    later = run(load, culling={"idle_seconds": 7200, "recorded_idle_seconds": 3600})
    assert later.lengths.tolist() == [8_200_000, 1_200_000]
    with pytest.raises(BadInput, match="idle limit"):
        run(sessions((0, 10)), culling={"idle_seconds": 60})


def test_a_longer_idle_limit_does_not_run_into_the_next_server():
    from tests.hub_costs.whatif.cases import at

    me = {"user": "ada"}
    load = sessions((0, 4600, {**me, "last_activity": at(1000)}), (5000, 5100, me))
    later = run(load, culling={"idle_seconds": 7200, "recorded_idle_seconds": 3600})
    assert later.lengths.tolist() == [5_000_000, 100_000]


def test_a_change_in_any_source_of_the_loop_is_compiled_anew(tmp_path):
    # numba looks at the file of `run` alone; the settings' type is part of its cache's key.
    sources = Path(kernel.__file__).parent
    shutil.copytree(sources, tmp_path / "kernel")
    assert kernel.settings_record(tmp_path / "kernel") == kernel.new_settings().dtype
    for name in ("nodes.py", "pods.py", "records.py"):
        shutil.copytree(sources, tmp_path / name)
        with (tmp_path / name / name).open("a") as file:
            file.write("# changed\n")
        assert kernel.settings_record(tmp_path / name) != kernel.new_settings().dtype
    run(sessions((0, 10)))
    (signature, *_) = events.run.signatures
    assert "sources_" in str(signature[0])


def test_a_kind_without_a_pool_and_an_unknown_type_are_named():
    with pytest.raises(BadInput, match="no pool for notebook"):
        run(sessions((0, 10)), kinds=("binder",))
    with pytest.raises(BadInput, match=r"r5\.huge"):
        run(sessions((0, 10)), instance_types=("r5.huge",))
    assert config().pool_of("binder").name == "users"


def test_who_only_reads_a_configuration_does_not_load_numba():
    code = "import sys, hub_costs.whatif, pangeo_deploy.monthly_cost; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
