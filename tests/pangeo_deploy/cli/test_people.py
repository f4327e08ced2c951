"""The verbs `usage` and `whatif` on a made-up month, as an operator runs them."""

import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Cli, command


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A month's sessions, made once: each command of the line is a process of its own."""
    out = tmp_path_factory.mktemp("sample")
    made = [*command("cost", "sample", "2026-10"), "--out", str(out)]
    subprocess.run(made, cwd=PROJECT, check=True, capture_output=True, timeout=240)
    return str(out / "sessions.csv")


def test_a_published_report_names_nobody(cli: Cli, sessions: str, tmp_path: Path) -> None:
    homes = tmp_path / "homes.csv"
    homes.write_text("user,gib\nuser-001,5\n")
    options = ("--sessions", sessions, "--homes", str(homes), "--quota-gib", "2", "--json")
    published = cli("usage", "report", *options)
    assert published.code == 0, published.err
    assert "user-001" not in published.out
    assert len(published.json["homes"]) == 1
    assert "user-001" in cli("usage", "report", *options, "--names").out


@pytest.mark.slow
def test_a_replay_prices_the_same_people_on_another_hub(
    cli: Cli, sessions: str, tmp_path: Path
) -> None:
    usual = cli("whatif", "--sessions", sessions, "--json")
    assert usual.code == 0, usual.err
    found = usual.json
    assert found["origin"] == "modelled"
    floor, whole = Decimal(found["floor_usd_per_month"]), Decimal(found["usd_per_month"])
    assert 0 < floor < whole
    assert set(found["node_hours"]) == {"users", "dask"}
    lines = sum(Decimal(line["usd_per_month"]) for line in found["lines"])
    assert lines == whole


def test_a_model_is_replayed_and_a_budget_below_the_floor_carries_nobody(cli: Cli) -> None:
    told = cli("whatif", "--model", "class", "--people", "8", "--budget", "100", "--json")
    assert told.code == 0, told.err
    assert told.json["users"] <= 8
    assert Decimal(told.json["floor_usd_per_month"]) > 100
    assert told.json["capacity"]["users"] == 0
    assert told.json["capacity"]["usd_per_month"] == "100.00"


def test_a_wrong_configuration_is_named(cli: Cli, sessions: str, tmp_path: Path) -> None:
    config = tmp_path / "hub.yaml"
    config.write_text("nat: sometimes\n")
    ran = cli("whatif", "--sessions", sessions, "--config", str(config), "--json")
    assert ran.code == 2
    assert "hub.yaml" in ran.out
    assert "nat" in ran.out


def test_whose_sessions_to_replay_is_asked_for_once(cli: Cli, sessions: str) -> None:
    """The old code said that none were given where two were."""
    both = cli("whatif", "--sessions", sessions, "--model", "class", "--json")
    assert (both.code, both.json["error"]["what"]) == (2, "Sessions are given twice.")
    neither = cli("whatif", "--json")
    assert (neither.code, neither.json["error"]["what"]) == (2, "No sessions given.")


def test_sessions_that_are_not_there_are_named(cli: Cli, tmp_path: Path) -> None:
    ran = cli("usage", "report", "--sessions", str(tmp_path / "none.csv"), "--json")
    assert ran.code == 2
    assert "none.csv" in ran.json["error"]["what"]
