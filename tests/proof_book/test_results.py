"""Which results may be published, and what normalising takes out of a notebook."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pangeo_core.errors import BadInput
from pangeo_core.origin import RESULT, Origin
from proof_book.identity.normalise_outputs import dumps, normalise
from proof_book.page import executed_results
from tests.proof_book.conftest import FIGURE, code


def notebook(*bundles: dict[str, Any]) -> Any:
    cells = []
    for bundle in bundles:
        cell = code("1")
        data = {RESULT: bundle, "text/plain": "x"}
        cell["outputs"] = [nbformat.v4.new_output("display_data", data)]
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells)


WRONG = {
    "a path": ({"alt": "images/of/the/bars.svg"}, "must be a sentence"),
    "a file name in words": ({"alt": "The file called bars.svg is here."}, "must be a sentence"),
    "a label": ({"alt": "Cost by service"}, "must be a sentence"),
    "no alt": ({"alt": ""}, "alt is missing"),
    "no origin": ({"origin": "guessed"}, "origin is 'guessed'"),
    "no source": ({"sources": []}, "sources is missing"),
    "no dark variant": ({"dark": ""}, "dark is missing"),
    "a bad name": ({"name": "../Bars of 2024"}, "lower-case words"),
    "a bad kind": ({"kind": "picture"}, "kind is 'picture'"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_result_without_its_proof_is_refused(tmp_path: Path, wrong: str) -> None:
    change, told = WRONG[wrong]
    with pytest.raises(BadInput) as raised:
        executed_results.collect([("01-shape", notebook({**FIGURE, **change}))], tmp_path)
    assert told in raised.value.why
    assert "01-shape, cell 1" in raised.value.why


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    books = [("01-a", notebook(FIGURE, FIGURE)), ("02-b", notebook({**FIGURE, "alt": "x"}))]
    with pytest.raises(BadInput, match="2 results") as raised:
        executed_results.collect(books, tmp_path)
    assert "01-a, cell 2, bars: the name is already that of cell 1" in raised.value.why
    assert "02-b, cell 1, bars: the alt text 'x'" in raised.value.why


def test_the_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = executed_results.collect(
        [("01-a", notebook(FIGURE)), ("02-b", notebook(FIGURE))], tmp_path
    )
    assert executed_results.load(tmp_path) == written
    assert list(written) == ["01-a/bars", "02-b/bars"]
    assert (tmp_path / written["01-a/bars"].files["data"]).read_text() == FIGURE["data"]
    assert (tmp_path / written["02-b/bars"].files["dark"]).read_text() == FIGURE["dark"]


def test_every_origin_is_explained() -> None:
    assert all(executed_results.is_sentence(origin.meaning) for origin in Origin)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.data())
def test_how_a_stream_was_cut_does_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    def printed(parts: list[str]) -> Any:
        cell = code("1")
        cell["id"] = "one"
        cell["outputs"] = [nbformat.v4.new_output("stream", text=part) for part in parts]
        return nbformat.v4.new_notebook(cells=[cell])

    place = Path("/nowhere/at/all")
    once = normalise(printed(pieces), place)
    assert dumps(once) == dumps(normalise(printed([text]), place))
    assert dumps(normalise(once, place)) == dumps(once)
