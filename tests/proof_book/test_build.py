"""What a build executes, what it keeps, and what it refuses to publish."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from pangeo_core.errors import BadInput, MissingPrerequisite, NotebookFailed
from proof_book.page import stage
from tests.proof_book.conftest import Project, make_project, tree

BUILD = """
import sys
from pathlib import Path
import proof_book
print(*proof_book.build(Path(sys.argv[1])).executed)
"""


def build_apart(project: Path, **environment: str) -> list[str]:
    """Build in a process of its own and return the notebooks that it executed."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(project)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_book_shows_results_with_their_origin(built: Project) -> None:
    page = (built.html / "index.html").read_text()
    assert "12\N{NO-BREAK SPACE}USD" in page
    assert "published; notebook 02-money, cell 3" in page
    assert 'alt="One bar, which is as high as the page."' in page
    assert "Made-up input" in page
    notebook = (built.html / "notebooks" / "01-shape.html").read_text()
    assert 'id="result-01-shape-bars"' in notebook
    assert "Made-up input" in notebook


def test_a_second_build_does_nothing(built: Project) -> None:
    before = built.pages()
    result = built.build()
    assert (result.executed, result.cached) == ((), ("01-shape", "02-money"))
    assert not result.rendered
    assert built.pages() == before


def test_only_what_depends_on_a_change_is_executed(built: Project) -> None:
    built.write("data/amount.txt", "13")
    built.edit_cell("01-shape", 0, "# A new heading")
    result = built.build()
    assert (result.executed, result.cached) == (("02-money",), ("01-shape",))
    assert "13\N{NO-BREAK SPACE}USD" in (built.html / "index.html").read_text()
    # In the navigation of pages that did not change, too.
    assert "A new heading" in (built.html / "notebooks" / "02-money.html").read_text()


def test_the_cache_can_be_shared_and_removed(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that was damaged is executed again; the other comes from the folder named."""
    shared = (built.path / "_build" / "cache").rename(tmp_path / "shared")
    monkeypatch.setenv("PANGEO_DEPLOY_CACHE", str(shared))
    entry = next(shared.glob("02-money-*"))
    entry.write_text(entry.read_text().replace("12 USD", "21 USD"))
    before = built.pages()
    result = built.build()
    assert (result.executed, result.rendered) == (("02-money",), False)
    assert built.pages() == before


@pytest.mark.slow
def test_two_builds_in_different_places_are_the_same_bytes(
    built_once: Project, tmp_path: Path
) -> None:
    """Another folder, home, locale, time zone, hash seed: nothing of them is in the book."""
    other = make_project(tmp_path / "a much longer path" / "of another clone")
    (tmp_path / "home").mkdir()
    executed = build_apart(
        other.path,
        HOME=str(tmp_path / "home"),
        TZ="Asia/Tokyo",
        LANG="de_DE.UTF-8",
        PYTHONHASHSEED="7",
        AWS_PROFILE="production",
    )
    assert executed == ["01-shape", "02-money"]
    for folder in ("html", "stage"):
        mine, others = (
            tree(built_once.path / "_build" / folder),
            tree(other.path / "_build" / folder),
        )
        assert list(mine) == list(others)
        assert [name for name in mine if mine[name] != others[name]] == []


def test_no_path_of_this_machine_is_published(built: Project) -> None:
    outputs = (built.path / "_build/stage/notebooks/01-shape.ipynb").read_text()
    for place in (str(built.path), str(Path.home()), sys.prefix, "ipykernel_", "production"):
        assert place not in outputs
    assert "<cell>:7: UserWarning" in outputs
    assert "object at 0x…" in outputs
    assert "0 UTC None" in outputs


def test_a_damaged_book_is_rendered_again(built: Project) -> None:
    before = built.pages()
    (built.html / "index.html").write_text("half a pa")
    (built.html / "search.html").unlink()
    assert built.build().rendered
    assert built.pages() == before


def test_a_failing_notebook_leaves_the_last_book_and_says_what_failed(built: Project) -> None:
    before = built.pages()
    built.edit_cell("01-shape", 2, "kept = 'before'\nprint(kept)\nraise ValueError('no such zone')")
    built.write("data/amount.txt", "14")
    with pytest.raises(NotebookFailed) as raised:
        built.build()
    assert "01-shape failed in cell 3: ValueError: no such zone" in raised.value.what
    assert "raise ValueError" in raised.value.why
    assert "Traceback" in raised.value.why
    assert "\x1b" not in raised.value.why
    partial = (built.path / "_build" / "failed" / "01-shape.ipynb").read_text()
    assert "before" in partial
    assert "no such zone" in partial
    assert built.pages() == before
    # The other notebook's work was not lost, and a repaired one leaves no partial copy. It runs
    # with the parameters given.
    built.edit_cell("01-shape", 2, "print(factor + 1)")
    assert built.build(parameters={"01-shape": {"factor": 41}}).executed == ("01-shape",)
    assert '"42\\n"' in (built.path / "_build/stage/notebooks/01-shape.ipynb").read_text()
    assert not (built.path / "_build" / "failed" / "01-shape.ipynb").exists()


def test_a_notebook_that_takes_too_long_is_ended(built: Project) -> None:
    before = built.pages()
    built.edit_cell("01-shape", 2, "print('slow')\nimport time\ntime.sleep(600)")
    for timeout in (4, 16, 64):  # a busy machine may need longer to get to the cell
        with pytest.raises(NotebookFailed, match="it was still running after") as raised:
            built.build(timeout=timeout)
        if "in cell 3" in raised.value.what:
            break
    assert "01-shape failed in cell 3" in raised.value.what
    assert "slow" in (built.path / "_build" / "failed" / "01-shape.ipynb").read_text()
    assert built.pages() == before


WRONG_PAGE = {
    "{value}`02-money/amounts`": "did you mean 02-money/amount",
    "{value}`amount`": "did you mean 02-money/amount",
    "{value}`01-shape/bars`": "is a figure, not a number",
    "[gone](nowhere.md)": "nowhere.md",
    "```{result} 01-shape/bar\n```": "did you mean 01-shape/bars",
}


def test_a_page_that_names_what_is_not_there_is_refused(built: Project) -> None:
    before = built.pages()
    text = "\n\n".join(WRONG_PAGE)
    built.edit("book/index.md", lambda page: f"{page}\n{text}\n")
    for _ in range(2):  # and again, although nothing has changed since
        with pytest.raises(BadInput) as raised:
            built.build()
        for line, told in zip(range(8, 18, 2), WRONG_PAGE.values(), strict=True):
            assert any(
                f"book/index.md:{line}:" in warning and told in warning
                for warning in raised.value.why.splitlines()
            ), raised.value.why
        assert built.pages() == before


def test_an_unwritable_place_is_named(built: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingPrerequisite, match="cannot write") as raised:
        built.build(out=tmp_path / "file" / "out")
    assert str(tmp_path / "file") in raised.value.what


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB, which holds the notebooks and not the book."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_named_and_more_room_is_enough(built: Project, small_disk: Path) -> None:
    shutil.copytree(built.path / "_build" / "cache", small_disk / "cache")
    with pytest.raises(MissingPrerequisite, match="cannot write") as raised:
        built.build(out=small_disk)
    assert "No space left" in raised.value.why
    assert not (small_disk / "html").exists()
    subprocess.run(["mount", "-o", "remount,size=80m", str(small_disk)], check=True)
    assert built.build(out=small_disk).executed == ()
    assert tree(small_disk / "html") == built.pages()


def test_the_binder_button_opens_the_commit_that_was_built(built: Project) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(built.path)]
    built.write(".gitignore", "_build/\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    commit = head.stdout.strip()
    assert built.build().executed == ()
    page = (built.html / "notebooks" / "02-money.html").read_text()
    repository = "NCAR/ncar-pangeo-binder-terraform-deploy"
    where = "?urlpath=lab/tree/notebooks/02-money.ipynb"
    assert f"https://mybinder.org/v2/gh/{repository}/{commit}{where}" in page
    assert f"https://github.com/{repository}/blob/{commit}/notebooks/02-money.ipynb" in page
    front = (built.html / "index.html").read_text()
    assert f"https://github.com/{repository}/blob/{commit}/book/index.md" in front
    # A changed file is in no commit that Binder could open, nor is one in an outer repository.
    assert stage.commit(built.path / "book") is None
    built.write("data/amount.txt", "15")
    assert stage.commit(built.path) is None


def test_without_a_commit_the_links_lead_to_the_main_branch(built_once: Project) -> None:
    page = (built_once.html / "notebooks" / "02-money.html").read_text()
    assert "ncar-pangeo-binder-terraform-deploy/main?urlpath=lab/tree/notebooks/02-money" in page


def test_a_page_tells_a_preview_what_it_is(built: Project) -> None:
    page = BeautifulSoup((built.html / "index.html").read_text(), "html.parser")
    tags = {str(tag["property"]): str(tag["content"]) for tag in page.select("meta[property]")}
    assert tags["og:title"] == "The book"
    assert tags["og:url"].endswith("/index.html")
    assert "It cost" in tags["og:description"]
