"""The book while it is written, and where a tool for it is missing."""

import urllib.request
from pathlib import Path

import pytest

import proof_book as publish
from pangeo_core.errors import BadInput, MissingPrerequisite
from proof_book.page import serve
from tests.proof_book.conftest import Project


def test_it_is_built_again_when_something_changes_and_only_then(built: Project) -> None:
    waits = []

    def wait(seconds: float) -> None:
        """Change something at the third look, break it at the sixth, repair it at the ninth."""
        waits.append(seconds)
        text = {3: "# Another\n", 6: "{value}`none/at-all`\n", 9: "# Repaired\n"}.get(len(waits))
        if text:
            built.write("book/index.md", text)
        assert len(waits) < 30

    results = serve.rebuilds(built.path, lambda: publish.build(built.path), wait=wait)
    assert next(results).rendered
    assert len(waits) == 3
    assert isinstance(next(results), BadInput)
    assert len(waits) == 6
    assert next(results).rendered
    assert len(waits) == 9
    assert "Repaired" in (built.html / "index.html").read_text()


def test_the_pages_are_served_on_this_machine(built_once: Project) -> None:
    server = serve.serve(built_once.html, 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/index.html") as answer:
        assert b"<html" in answer.read()
    server.shutdown()


def test_without_a_browser_the_way_out_is_told(
    built_once: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPrerequisite, match="no PDF") as raised:
        publish.pdf(built_once.path / "_build")
    assert "chromium" in raised.value.fix
