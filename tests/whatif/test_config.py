"""Configurations and price files: defaults, and what is said of wrong ones."""

import json

import pytest

from pangeo_deploy.errors import BadInput
from pangeo_deploy.whatif import Config, load, parse, prices


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


@pytest.mark.parametrize("text", ["{", "a: [1", "\x00"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    for name in ("c.yaml", "c.json"):
        with pytest.raises(BadInput, match=name):
            load(write(tmp_path, name, text))
    with pytest.raises(BadInput, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")


HEADER = "service,item,unit,usd,region,as_of,source\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n", "header"),
        (HEADER + "S,i,hour,x,r,2024,me\n", "line 2 has 'x'"),
        (HEADER + "S,i,hour,-1,r,2024,me\n", "line 2 has '-1'"),
        (HEADER + "S,i,hour,NaN,r,2024,me\n", "line 2 has 'NaN'"),
        (HEADER + "S,i,hour,1,r\n", "line 2 has 5 values"),
        (HEADER + "S,i,hour,1,r,2024,me\n" * 2, "line 3 names S i r a second time"),
    ],
)
def test_a_wrong_price_file_is_named_with_its_line(tmp_path, text, says):
    with pytest.raises(BadInput, match=r"p\.csv") as caught:
        prices.read(write(tmp_path, "p.csv", text))
    assert says in str(caught.value)


def test_every_priced_type_has_a_shape_and_every_price_its_source():
    table, shapes = prices.read().table, prices.shapes()
    for (service, item, _), price in table.items():
        assert price.source
        assert price.as_of
        if service.startswith("AmazonEC2") and "." in item:
            assert item in shapes
