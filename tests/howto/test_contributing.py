"""The pages on how to add things do what they say, in a copy of the clone.

A block whose first line names a file is a change of it: `python` a new file, `diff` lines that go
in or out beside lines that are there. `bash` blocks are run; `sh` blocks need more than a clone.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.conftest import PROJECT

pytestmark = pytest.mark.timeout(1800)  # a page's commands start programs of their own

PAGES = {page.stem: page.read_text() for page in sorted((PROJECT / "docs").glob("add-a-*.md"))}
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
COPIED = ("src", "tests", "terraform", "helm", "data", "pyproject.toml")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", "recorded")


def blocks(page: str) -> list[tuple[str, str]]:
    return [(kind, dedent(text)) for _, kind, text in BLOCK.findall(PAGES[page])]


def changed(before: str, lines: list[str]) -> str:
    """Return `before` with a diff's lines: those it starts from must be there exactly once."""
    old, new = (
        "".join(f"{line[1:]}\n" for line in lines if line[:1] in (" ", sign)) for sign in "-+"
    )
    assert before.count(old) == 1, f"found {before.count(old)} times:\n{old}"
    return before.replace(old, new)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / name, ignore=NOT_COPIED)
        else:
            shutil.copy(PROJECT / name, folder / name)
    return folder


def shell(clone: Path) -> dict[str, str]:
    """A contributor's shell: the copy's own packages, and the programs of this environment."""
    programs = clone.parent / "bin"
    programs.mkdir(exist_ok=True)
    commands = {
        "pangeo-deploy": "from pangeo_deploy.cli import main; main()",
        "pytest": "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))",
    }
    for name, code in commands.items():
        (programs / name).write_text(f"#!{sys.executable}\n{code}\n")
        (programs / name).chmod(0o755)
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST")},
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": f"{clone / 'src'}:{clone}",
        "PANGEO_DEPLOY_STATE": str(clone.parent / "state"),
    }


def test_there_is_a_page_for_each_kind_of_thing() -> None:
    assert {"add-a-target", "add-a-resource-type", "add-a-bill-format", "add-a-workload"} == set(
        PAGES
    )
    contributing = (PROJECT / "CONTRIBUTING.md").read_text()
    assert all(f"docs/{page}.md" in contributing for page in PAGES)


def test_a_diff_that_does_not_fit_the_file_is_noticed() -> None:
    assert changed("a\nb\n", [" a", "+c"]) == "a\nc\nb\n"
    assert changed("a\nb\n", ["-a", "+c"]) == "c\nb\n"
    with pytest.raises(AssertionError, match="found 0 times"):
        changed("a\nb\n", [" d", "+c"])


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_adds_works(clone: Path, page: str) -> None:
    environment, ran = shell(clone), []
    for kind, text in blocks(page):
        if kind == "bash":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=clone, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
            ran.append(done.stdout)
        elif kind in ("python", "diff"):
            first, *lines = text.splitlines()
            file = clone / first.removeprefix("# ")
            if kind == "python":
                assert not file.exists(), f"{file} is there already"
                file.write_text("\n".join(lines) + "\n")
            else:
                file.write_text(changed(file.read_text(), lines))
    assert any(re.search(r"\d+ passed", output) for output in ran), "the page tests what it adds"


@pytest.mark.parametrize("page", PAGES)
def test_without_the_change_its_commands_fail(clone: Path, page: str) -> None:
    """What a page runs is about what it adds: in an unchanged clone it is refused."""
    text = next(text for kind, text in blocks(page) if kind == "bash")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=clone, env=shell(clone), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
