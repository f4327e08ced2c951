"""Inputs that no hub has: each is refused with what, where and the way out, before memory is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hub_costs.estimates import prices
from hub_costs.usage import session_files
from hub_costs.usage.sessions import LONGEST
from hub_costs.whatif import arrivals, load
from pangeo_core.errors import BadInput

HEAD = "user,hub,kind,start,end,cpu_cores,memory_gib,node_type,capacity"
ROW = "a,h,notebook,2026-01-05T09:00:00Z,2026-01-05T11:00:00Z,1,2,,on-demand"
Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str, name: str = "sessions.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return write


@pytest.mark.parametrize("year", ["1700", "2100", "3000", "9999"])
def test_one_wrong_year_is_named_and_not_looked_at_hour_by_hour(
    written: Written, year: str
) -> None:
    assert LONGEST.days < 30 * 366
    file = written(f"{HEAD}\n{ROW}\n{ROW.replace('2026', year)}\n")
    with pytest.raises(BadInput, match=r"span .* years") as refused:
        session_files.read(file)
    assert year in refused.value.what
    assert "year" in refused.value.fix


def test_a_column_that_is_there_twice_is_named(written: Written) -> None:
    with pytest.raises(BadInput, match="more than one column user"):
        session_files.read(written(f"{HEAD},user\n{ROW},b\n"))


@pytest.mark.parametrize(
    "head", [HEAD.title(), HEAD.replace(",", ";"), HEAD.replace(",", ", "), "people,when"]
)
def test_a_missing_column_is_explained_by_those_that_are_there(written: Written, head: str) -> None:
    for files in (
        [written(f"{head}\n")],
        [written(f"{HEAD}\n{ROW}\n", "b.csv"), written(f"{head}\n")],
    ):
        with pytest.raises(BadInput, match=r"sessions\.csv has no column") as refused:
            session_files.read(files)
        assert repr(head.split(",")[-1]) in refused.value.why


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_said(written: Written, encoding: str) -> None:
    with pytest.raises(BadInput, match=r"sessions\.csv"):
        session_files.read(written(f"{HEAD}\n{ROW}\n", encoding=encoding))


@pytest.mark.parametrize("column", ["1", "2"])
def test_more_than_any_machine_has_is_no_request(written: Written, column: str) -> None:
    rows = [ROW, ROW.replace(f",{column},", ",1e308,")]
    found = session_files.read(written("\n".join([HEAD, *rows])))
    assert found.as_dict()["rejected_by_reason"] == {"bad-value": 1}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("core:\n  nodes: 1000000000\n", "core.nodes"),
        ("pools:\n- {name: a, kinds: [notebook], min_nodes: 100000000}\n", "min_nodes"),
        ("pools:\n- {name: a, kinds: [notebook], placeholders: 100000000}\n", "placeholders"),
        ("network:\n  load_balancers: 100000000\n", "load_balancers"),
        ("homes:\n  gib: 1.0e+300\n", "homes.gib"),
        ("homes:\n  gib: .nan\n", "homes.gib"),
        ("culling:\n  idle_seconds: .inf\n", "culling.idle_seconds"),
        ("other_usd_per_month: 1.0e+300\n", "other_usd_per_month"),
        ("zones: 2\nzones: 3\n", "twice: zones"),
        ("core: {nodes: 1, nodes: 2}\n", "twice: nodes"),
    ],
)
def test_a_configuration_beyond_reason_is_refused(written: Written, text: str, what: str) -> None:
    with pytest.raises(BadInput) as refused:
        load(written(text, "hub.yaml"))
    assert what in refused.value.why


def test_json_and_merged_keys_are_judged_alike(written: Written) -> None:
    with pytest.raises(BadInput) as refused:
        load(written('{"zones": 2, "core": {"nodes": 1, "nodes": 2}}', "hub.json"))
    assert "twice: nodes" in refused.value.why
    # A merge is no repetition: what is written beside it wins, as YAML says.
    rest = "kinds: [binder, dask-scheduler, dask-worker]"
    text = "pools:\n- &a {name: a, kinds: [notebook], min_nodes: 3}\n"
    text += f"- {{<<: *a, name: b, {rest}}}\n"
    assert [pool.min_nodes for pool in load(written(text, "hub.yaml")).pools] == [3, 3]


@pytest.mark.parametrize("people", [-1, 10**8])
@pytest.mark.parametrize("model", sorted(arrivals.MODELS))
def test_a_number_of_people_that_no_hub_has_seen_is_refused(model: str, people: int) -> None:
    with pytest.raises(BadInput, match="number of people"):
        arrivals.sized(model, people)


def test_an_unknown_region_is_refused_and_a_known_one_is_noted() -> None:
    table = prices.read()
    with pytest.raises(BadInput, match="eu-north-9") as refused:
        table.find("eks", "cluster-hour", "eu-north-9")
    assert "eu-north-1" in refused.value.why
    borrowed = table.find("eks", "cluster-hour", "eu-north-1")
    assert borrowed is not None
    assert borrowed.note.startswith("price of ")
