"""The first notebook: who finds it, and that its data are what the project publishes."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from traitlets.config import Config

from tests.conftest import PROJECT

FILES = PROJECT / "helm" / "files"
Welcome = Callable[[Path, Path], bool]


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Welcome, Config]:
    """The servers' configuration, read as Jupyter reads it, in an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path / "first"))
    monkeypatch.delenv("BINDER_REPO_URL", raising=False)
    given = Config()
    read = runpy.run_path(str(FILES / "jupyter_server_config.py"), init_globals={"c": given})
    return read["welcome"], given


def test_a_newcomers_server_opens_the_first_notebook(
    configuration: tuple[Welcome, Config], tmp_path: Path
) -> None:
    _, given = configuration
    assert given.ServerApp.default_url == "/lab/tree/welcome/welcome.ipynb"
    assert (tmp_path / "first" / "welcome" / "welcome.ipynb").exists()
    assert (tmp_path / "first" / "welcome" / "welcome.csv").exists()


def test_what_somebody_made_of_it_is_theirs(
    configuration: tuple[Welcome, Config], tmp_path: Path
) -> None:
    welcome, _ = configuration
    notebook = tmp_path / "first" / "welcome" / "welcome.ipynb"
    notebook.write_text("changed")
    assert not welcome(FILES, tmp_path / "first")
    assert notebook.read_text() == "changed"
    for file in notebook.parent.iterdir():
        file.unlink()
    notebook.parent.rmdir()
    assert not welcome(FILES, tmp_path / "first")
    assert not notebook.exists()


def test_a_folder_of_that_name_is_left_alone(
    configuration: tuple[Welcome, Config], tmp_path: Path
) -> None:
    welcome, _ = configuration
    other = tmp_path / "other" / "welcome"
    other.mkdir(parents=True)
    assert not welcome(FILES, tmp_path / "other")
    assert list(other.iterdir()) == []


def test_a_launched_server_gets_none(
    configuration: tuple[Welcome, Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    welcome, _ = configuration
    monkeypatch.setenv("BINDER_REPO_URL", "https://github.com/a/b")
    assert not welcome(FILES, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_home_without_room_does_not_keep_a_server_from_starting(
    configuration: tuple[Welcome, Config], tmp_path: Path
) -> None:
    welcome, _ = configuration
    (tmp_path / "file").touch()
    assert not welcome(FILES, tmp_path / "file")


def test_its_data_are_those_of_the_publication() -> None:
    published = PROJECT / "data" / "mybinder_daily.csv"
    assert (FILES / "welcome.csv").read_bytes() == published.read_bytes()


def test_it_holds_no_outputs() -> None:
    cells = json.loads((FILES / "welcome.ipynb").read_bytes())["cells"]
    assert [one for one in cells if one.get("outputs") or one.get("execution_count")] == []
