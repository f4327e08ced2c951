"""Types without an emulated API, on one that the deployment may use later."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emulated_aws import kept_types, open_account, resources, schema
from emulated_aws.resources.base import keeping
from emulated_aws.unemulated import Kept
from pangeo_core.errors import BadInput, TerraformFailed

from .conftest import Rehearsal

TYPE = "aws_ce_anomaly_monitor"
SCHEMA = {
    "sdk": True,
    "attributes": {
        "arn": ["c", "string"],
        "id": ["oc", "string"],
        "monitor_dimension": ["o", "string"],
        "monitor_type": ["r", "string"],
        "name": ["r", "string"],
        "tags": ["o", ["map", "string"]],
        "tags_all": ["oc", ["map", "string"]],
    },
}
HCL = """
resource "aws_ce_anomaly_monitor" "this" {
  name              = "%s"
  monitor_type      = "%s"
  monitor_dimension = "SERVICE"
}
"""


@pytest.fixture(autouse=True)
def with_a_kept_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teach the stand-in one more type, as the schema file and the table would."""
    block = schema.read_block(SCHEMA)
    known = schema.load()
    extended = {**known.resources, TYPE: schema.Type(TYPE, block, sdk=True)}
    message = type(known.message)()
    message.CopyFrom(known.message)
    message.resource_schemas[TYPE].CopyFrom(schema.as_messages({TYPE: extended[TYPE]})[TYPE])
    fake = schema.Schema(known.origin, known.provider, extended, known.data_sources, message)
    monkeypatch.setattr("emulated_aws.provider.load", lambda: fake)
    resource = keeping(
        TYPE,
        lambda api, new: {
            "id": (arn := api.arn("ce", f"anomalymonitor/{new['name']}", regional=False)),
            "arn": arn,
        },
        immutable=frozenset({"monitor_type"}),
    )
    monkeypatch.setitem(resources.RESOURCES, TYPE, resource)  # type: ignore[arg-type]


def test_life_of_a_kept_thing(small: Callable[[str], Rehearsal]) -> None:
    rehearsal = small(HCL % ("one", "DIMENSIONAL"))
    assert TYPE in kept_types()
    assert rehearsal.plan() == {f"{TYPE}.this": "create"}
    rehearsal.apply()
    assert rehearsal.plan() == {}
    arn = "arn:aws:ce::123456789012:anomalymonitor/one"
    kept = Kept(rehearsal.account.folder / "kept.json")
    assert kept.read()[TYPE][arn]["tags_all"] == {"project": "test"}

    with kept.change() as content:
        content[TYPE][arn]["monitor_dimension"] = "LINKED_ACCOUNT"
    assert rehearsal.plan() == {f"{TYPE}.this": "update"}
    rehearsal.apply()
    assert kept.read()[TYPE][arn]["monitor_dimension"] == "SERVICE"

    rehearsal.hcl(HCL % ("one", "CUSTOM"))
    assert rehearsal.plan() == {f"{TYPE}.this": "delete+create"}
    rehearsal.destroy()
    assert kept.read()[TYPE] == {}


def test_a_damaged_store_is_refused_and_left_alone(small: Callable[[str], Rehearsal]) -> None:
    rehearsal = small(HCL % ("one", "DIMENSIONAL"))
    rehearsal.apply()
    file = rehearsal.account.folder / "kept.json"
    file.write_text(file.read_text()[:-10])
    before = file.read_text()
    with pytest.raises(TerraformFailed, match="cut short"):
        rehearsal.terraform.read("plan", "-input=false")
    with pytest.raises(BadInput, match=r"kept\.json"):
        Kept(file).read()
    assert file.read_text() == before


def test_it_outlives_the_process(tmp_path: Path) -> None:
    with open_account(tmp_path) as account, Kept(account.folder / "kept.json").change() as content:
        content[TYPE] = {"id": {"name": "one"}}
    assert json.loads((tmp_path / "kept.json").read_text()) == {TYPE: {"id": {"name": "one"}}}
