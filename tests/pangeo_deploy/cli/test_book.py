"""The verb `book` where it builds nothing: what would run and why, and what is out of date."""

import json
import sys
from pathlib import Path

import pytest

from pangeo_deploy.cli.app import run
from tests.conftest import Cli


def test_explain_and_status_speak_of_every_notebook_and_page(cli: Cli, project: Path) -> None:
    explained = cli("book", "build", "--explain", "--json")
    assert explained.code == 0, explained.err
    reasons = explained.json["would_execute"]
    assert sorted(reasons) == sorted(path.stem for path in (project / "notebooks").glob("*.ipynb"))
    status = cli("book", "status", "--json")
    assert status.code == (0 if status.json["fresh"] else 3), status.err
    pages = status.json["pages"]
    assert {path.stem for path in (project / "book").glob("*.md")} < set(pages)
    assert status.json["fresh"] == all(page["fresh"] for page in pages.values())
    # A notebook that would run makes its own page stale.
    assert all(not pages[f"notebooks/{name}"]["fresh"] for name, why in reasons.items() if why)


def test_a_version_needs_a_book_that_anybody_can_build_again(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "terraform/environments").mkdir(parents=True)
    told = cli("book", "archive", "1.0", "--to", str(tmp_path / "kept"), cwd=tmp_path)
    assert told.code == 2
    assert "holds no book" in told.err


@pytest.mark.parametrize("verb", ["build", "status", "pdf", "serve"])
def test_a_book_without_its_libraries_names_the_group(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the package is installed without the group `book`."""
    for name in [name for name in sys.modules if name.split(".")[0] == "proof_book"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "docutils", None)
    monkeypatch.setitem(sys.modules, "proof_book", None)
    assert run(["book", verb]) == 2
    assert "pangeo-deploy[book]" in capsys.readouterr().err


def test_the_book_of_another_folder_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["book", "status", "--out", str(tmp_path / "other"), "--json"]) == 3
    pages = json.loads(capsys.readouterr().out)["pages"]
    assert pages
    assert not any(page["fresh"] for page in pages.values())
