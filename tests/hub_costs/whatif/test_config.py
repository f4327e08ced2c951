"""Configurations and price files: defaults, and what is said of wrong ones."""

import json

import pytest

from hub_costs.estimates import prices
from hub_costs.machines import machines
from hub_costs.whatif import Config, load, parse
from pangeo_core.errors import BadInput


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_yaml_and_json_say_the_same_and_defaults_fill_the_rest(tmp_path):
    data = {"name": "big", "pools": [{"name": "all", "kinds": ["notebook", "dask-worker"]}]}
    one = load(write(tmp_path, "c.json", json.dumps(data)))
    two = load(
        write(
            tmp_path, "c.yaml", "name: big\npools:\n- {name: all, kinds: [notebook, dask-worker]}"
        )
    )
    assert one == two
    assert one.core.nodes == 1
    assert load(write(tmp_path, "empty.yaml", "")) == Config()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"zone": 2}, "zone: there is no such key"),
        ({"zones": 0}, "zones: "),
        ({"zones": "many"}, "'many'"),
        ({"pools": []}, "pools: "),
        ({"pools": [{"name": "a", "kinds": ["lab"]}]}, "pools.0.kinds.0: "),
        ({"pools": [{"name": "a", "kinds": ["binder"], "spot_share": 2}]}, "pools.0.spot_share: "),
        ({"pools": [{"name": "a", "kinds": ["binder"], "disk_gib": float("nan")}]}, "disk_gib"),
        ({"pools": [{"name": "a", "kinds": []}, {"name": "a", "kinds": []}]}, "pool named a"),
        (
            {"pools": [{"name": n, "kinds": ["binder"]} for n in "ab"]},
            "more than one pool for binder",
        ),
        ({"savings_plan": {"usd_per_hour": "1"}}, "savings_plan.discount: "),
        ({"network": {"nat": "two"}}, "network.nat: "),
        (["pools"], "it: "),
    ],
)
def test_each_wrong_value_is_named_with_its_place(data, says):
    with pytest.raises(BadInput) as caught:
        parse(data, "my.yaml")
    assert "my.yaml" in caught.value.what
    assert says in caught.value.why


def test_a_list_with_a_wrong_entry_is_not_called_empty_too():
    with pytest.raises(BadInput, match="1 wrong value") as caught:
        parse({"pools": [{"name": "a", "kinds": ["binder"], "min_nodes": -1}]})
    assert caught.value.why.startswith("pools.0.min_nodes: ")


@pytest.mark.parametrize("text", ["{", "a: [1", "\x00"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    for name in ("c.yaml", "c.json"):
        with pytest.raises(BadInput, match=name):
            load(write(tmp_path, name, text))
    with pytest.raises(BadInput, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")


def test_another_regions_price_is_used_with_a_note():
    table = prices.read()
    assert table.get("ec2", "r5.xlarge", "us-west-2").note == ""
    assert table.get("ec2", "c6i.large", "us-west-2").note == "price of us-east-1"


def test_every_priced_type_has_a_shape():
    known = machines()
    for service, item, _ in prices.read().rows:
        if service in ("ec2", "ec2-spot"):
            assert item in known


def test_a_broken_row_of_shapes_is_named(tmp_path):
    path = write(tmp_path, "i.csv", "instance_type,vcpus,memory_gib,max_pods\nr5.large,two,16,29\n")
    with pytest.raises(BadInput, match=r"i\.csv.*r5\.large"):
        machines(path)
