"""Where a result comes from: its panel, the crate, what is fresh, what moved, what was typed."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup

import proof_book as publish
from pangeo_core.errors import BadInput, NotebookFailed
from proof_book.identity.code_graph import source_folder
from proof_book.page import typed_numbers, versions
from proof_book.page.executed_results import Result
from tests.proof_book.conftest import NUMBER, Project, code, write_notebook

SHAPE, MONEY = "01-shape", "02-money"
SHAPE_PAGE, MONEY_PAGE = f"notebooks/{SHAPE}", f"notebooks/{MONEY}"


def panel(page: Path, anchor: str) -> dict[str, str]:
    soup = BeautifulSoup(page.read_text(), "html.parser")
    box = soup.find(id=anchor)
    assert box is not None
    proof = box.select_one("details.result-proof")
    assert proof is not None
    assert proof.select_one("summary") is not None
    terms = [term.text for term in proof.select("dt")]
    told = [one.get_text(" ", strip=True) for one in proof.select("dd")]
    return dict(zip(terms, told, strict=True))


def test_a_result_carries_its_proof(built_once: Project) -> None:
    said = panel(built_once.html / f"{MONEY_PAGE}.html", f"result-{MONEY}-amount")
    digest = hashlib.sha256((built_once.path / "data/amount.txt").read_bytes()).hexdigest()
    assert said["Computed by"].startswith("02-money.ipynb, cell 3")
    assert said["Parameters"] == "factor = 1"
    assert f"data/amount.txt, sha256 {digest[:12]}" in said["Sources"]
    assert "pangeo-deploy 0.1.0" in said["Code"]
    assert said["A recorded run"] == "none"
    # On every page that shows it, not only at home.
    assert panel(built_once.html / "index.html", f"result-{SHAPE}-bars")["Parameters"] == "none"


def test_the_source_link_leads_to_the_cell(built_once: Project) -> None:
    proof = json.loads((built_once.html / "results/provenance.json").read_text())
    address = proof["results"][f"{MONEY}/amount"]["source"]
    line = int(address.split("#L")[1])
    file = built_once.path / "notebooks" / f"{MONEY}.ipynb"
    assert '"id": "cell-2"' in file.read_text().splitlines()[line - 1]


def test_the_crate_is_whole(built_once: Project) -> None:
    """The rules of RO-Crate 1.2 that a program must rely on, over what was published."""
    crate = json.loads((built_once.html / "ro-crate-metadata.json").read_text())
    assert crate["@context"] == "https://w3id.org/ro/crate/1.2/context"
    graph = {one["@id"]: one for one in crate["@graph"]}
    assert len(graph) == len(crate["@graph"])
    assert all(one["@type"] for one in graph.values())
    descriptor = graph["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.2"}
    root = graph[descriptor["about"]["@id"]]
    assert root["@type"] == "Dataset"
    assert all(root[name] for name in ("name", "description", "datePublished", "license"))
    links = re.findall(r'\{"@id": ("[^"]+")\}', json.dumps(crate))
    named = {json.loads(link) for link in links} - {"https://w3id.org/ro/crate/1.2"}
    assert named <= graph.keys()
    # Every file is a part of the whole, and what it says of its size is so.
    parts = [part["@id"] for part in root["hasPart"]]
    assert set(parts) == {one["@id"] for one in crate["@graph"] if "File" in one["@type"]}
    files = [part for part in parts if not part.startswith("https://")]
    assert len(files) == 3
    sizes = [(built_once.html / file).stat().st_size for file in files]
    assert [int(graph[file]["contentSize"]) for file in files] == sizes
    assert all(graph[part]["encodingFormat"] and graph[part]["description"] for part in parts)
    assert all(graph["#python"][name] for name in ("name", "url", "version"))
    run = graph[f"#run-{MONEY}"]
    assert run["@type"] == "CreateAction"
    (source,) = run["object"]
    assert graph[source["@id"]]["sha256"] == hashlib.sha256(b"12\n").hexdigest()
    assert run["result"] == [{"@id": f"#result-{MONEY}-amount"}]
    assert graph[f"#result-{MONEY}-amount"]["value"] == "12"


def stale(project: Project, **options: Any) -> dict[str, list[str]]:
    return {
        page.name: list(page.why)
        for page in publish.status(project.path, **options)
        if not page.fresh
    }


ALL = {"index", SHAPE_PAGE, MONEY_PAGE}
MUTATIONS: dict[str, tuple[str, str, set[str]]] = {
    "a data file": ("data/amount.txt", "13", {"index", MONEY_PAGE}),
    "the lock": ("requirements.lock", "two==2", ALL),
    "a page": ("book/index.md", "More.", {"index"}),
    "the settings": ("_config.yml", "# another", ALL),
    "the style": ("book/_static/book.css", "/* another */", ALL),
    "a module that one imports": ("pangeo_core/origin.py", "# another", {"index", MONEY_PAGE}),
    "a module that none imports": ("hub_costs/bills/table.py", "# another", set()),
    "the renderer": ("proof_book/page/sphinx_proof.py", "# another", ALL),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_exactly_the_pages_that_a_change_makes_stale_are_named(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutation: str
) -> None:
    file, text, pages = MUTATIONS[mutation]
    sources = tmp_path / "src"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source_folder(), sources, ignore=ignore)
    monkeypatch.setattr(publish, "__file__", str(sources / "proof_book" / "__init__.py"))
    assert stale(built) == {}
    path = built.path / file if (built.path / file).exists() else sources / file
    before = path.read_bytes()
    path.write_bytes(before + f"\n{text}\n".encode())
    found = stale(built)
    assert set(found) == pages
    assert all(any(file in why for why in told) for told in found.values()), found
    path.write_bytes(before)
    assert stale(built) == {}


def test_a_parameter_makes_stale_and_a_build_makes_fresh(built: Project) -> None:
    given = {SHAPE: {"factor": 41}}
    assert stale(built, parameters=given) == {
        page: [f"{SHAPE}: parameter factor is new"] for page in ("index", SHAPE_PAGE)
    }
    built.write("data/amount.txt", "13")
    assert publish.explain(built.path) == {SHAPE: (), MONEY: ("input data/amount.txt changed",)}
    result = built.build(parameters=given)
    assert result.reasons == {
        SHAPE: ("parameter factor is new",),
        MONEY: ("input data/amount.txt changed",),
    }
    assert stale(built, parameters=given) == {}
    report = json.loads((built.path / "_build/report.json").read_text())["notebooks"]
    assert {one["state"] for one in report.values()} == {"executed"}
    assert all(one["seconds"] > 0 and one["peak_mb"] > 10 for one in report.values())
    (built.html / f"{MONEY_PAGE}.html").unlink()
    assert stale(built, parameters=given) == {MONEY_PAGE: ["the page is not there"]}


def test_a_file_that_is_read_and_not_declared_fails_the_build(built: Project) -> None:
    """Its change would leave a stale number in the book."""
    write_notebook(built.path, MONEY, [code("factor = 1"), code(NUMBER)])
    built.edit_cell(SHAPE, 2, "raise SystemExit")  # and the other's failure is told with it
    before = built.pages()
    with pytest.raises(NotebookFailed) as raised:
        built.build()
    assert "do not say that it reads data/amount.txt" in str(raised.value)
    assert built.pages() == before


def test_a_notebook_that_reads_anothers_file_runs_after_it(built: Project) -> None:
    """A declared output is kept with the run, comes back with it, and counts by its content."""
    makes = "from pathlib import Path\nPath('../made.txt').write_text('12')"
    write_notebook(built.path, "03-makes", [code(makes)])
    edit_metadata(built, "03-makes", outputs=["made.txt"])
    write_notebook(
        built.path, "00-reads", [code("print(open('../made.txt').read())")], ("made.txt",)
    )
    toc = json.loads((built.path / "_toc.yml").read_text())
    toc["chapters"] += [{"file": "notebooks/00-reads"}, {"file": "notebooks/03-makes"}]
    built.write("_toc.yml", json.dumps(toc))
    for name in ("00-reads", "03-makes"):
        path = built.path / "notebooks" / f"{name}.ipynb"
        notebook = json.loads(path.read_text())
        notebook["cells"].insert(0, nbformat.v4.new_markdown_cell(f"# {name}", id="head"))
        path.write_text(json.dumps(notebook))
    assert set(built.build().executed) == {"00-reads", "03-makes"}
    (built.path / "made.txt").unlink()
    assert built.build().executed == ()
    assert (built.path / "made.txt").read_text() == "12"
    # The same output from other code: what reads it does not run again.
    built.edit_cell("03-makes", 1, makes + "\n")
    assert built.build().executed == ("03-makes",)
    edit_metadata(built, "03-makes", outputs=["made.txt"], inputs=["made.txt"])
    with pytest.raises(BadInput, match="wait for one another"):
        built.build()


def edit_metadata(project: Project, name: str, **declared: list[str]) -> None:
    path = project.path / "notebooks" / f"{name}.ipynb"
    notebook = json.loads(path.read_text())
    notebook["metadata"]["pangeo_deploy"] = declared
    path.write_text(json.dumps(notebook))


def test_a_notebook_that_takes_too_much_memory_is_ended(built: Project) -> None:
    built.edit_cell(SHAPE, 2, "import time\nheld = bytearray(300_000_000)\ntime.sleep(60)")
    path = built.path / "notebooks" / f"{SHAPE}.ipynb"
    path.write_text(path.read_text().replace('"inputs": []', '"inputs": [], "memory_mb": 250'))
    with pytest.raises(NotebookFailed, match="it needed more than 250 MB of memory"):
        built.build()


def result(text: str) -> Result:
    return Result("05-cost", 1, "number", "floor", "modelled", "A caption.", (), text=text)


TYPED = {
    "It costs 412.50 USD a month.": True,
    "It costs 412.50\nUSD a month.": True,
    "It costs 412.50USD a month.": True,
    "It costs {value}`05-cost/floor` a month.": False,
    "Another's was {typed}`412.50 USD` a month.": False,
    "It costs 1412.50 USD, or 412.501 USD, or 412.50 USDT.": False,
    "`412.50 USD` and [a link](https://x.org/412.50 USD)": False,
    "```text\n412.50 USD\n```": False,
}


@pytest.mark.parametrize("text", TYPED)
def test_a_typed_number_is_found(tmp_path: Path, text: str) -> None:
    page = tmp_path / "book" / "cost.md"
    page.parent.mkdir()
    page.write_text(f"# Cost\n\n{text}\n")
    if TYPED[text]:
        with pytest.raises(BadInput) as raised:
            typed_numbers.refuse([page], [result("412.50 USD")])
        assert "book/cost.md:3: 412.50" in raised.value.why
        assert "write {value}`05-cost/floor`" in raised.value.why
    else:
        typed_numbers.refuse([page], [result("412.50 USD")])


SHORT = {
    "15 % of the disk": False,  # by chance: nothing of that notebook is in the section
    "15 % of {value}`04-usage/hours`": False,
    "15 % of {value}`05-cost/whole`": True,
    "15 %, as the figure says:\n\n```{result} 05-cost/shares\n```": True,
    "15 % of the disk\n\n## Another section\n\n{value}`05-cost/whole`": False,
    "{typed}`15 %` of {value}`05-cost/whole`": False,
    "400 MB of {value}`05-cost/whole`": True,
    "400 MB is Binder's limit": False,
    "412.50 USD": True,  # three digits are nobody's by chance
    "0.63 of the time": False,
    "1.05 of the time": True,
}


@pytest.mark.parametrize("text", SHORT)
def test_a_short_number_counts_only_beside_its_notebooks_results(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Cost\n\nIt is {text}\n")
    known = ("15 %", "400 MB", "412.50 USD", "0.63 of", "1.05 of")
    assert bool(list(typed_numbers.typed(page, [result(one) for one in known]))) is SHORT[text]


def test_small_bare_numbers_are_not_anybodys(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("There are 6 months, and 8,766 pods.")
    assert list(typed_numbers.typed(page, [])) == []
    typed_numbers.refuse([page], [result("6")])
    with pytest.raises(BadInput, match="1 numbers are typed"):
        typed_numbers.refuse([page], [result("8,766")])


def test_an_archived_version_stays_and_the_next_says_what_moved(
    built: Project, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="a working copy with changes"):
        publish.archive(built.path, "0.1.0", tmp_path / "kept")
    proof = built.html / "results/provenance.json"
    proof.write_text(proof.read_text().replace('"commit": null', f'"commit": "{"a" * 40}"'))
    kept = publish.archive(built.path, "0.1.0", tmp_path / "kept")
    assert (kept / "index.html").read_bytes() == (built.html / "index.html").read_bytes()
    with pytest.raises(BadInput, match="There is a version"):
        publish.archive(built.path, "0.1.0", tmp_path / "elsewhere")
    before = versions.last(built.path)["results"]
    now = {
        **before,
        f"{MONEY}/amount": {"text": "15 USD", "value": "15"},
        f"{SHAPE}/bars": {"sha256": "other"},
        f"{SHAPE}/more": {"sha256": "new"},
    }
    told = [(one.key, one.what, one.ratio) for one in versions.moved(before, now)]
    assert told == [
        (f"{MONEY}/amount", "changed", 1.25),
        (f"{SHAPE}/bars", "changed", None),
        (f"{SHAPE}/more", "new", None),
    ]
    assert versions.moved(before, before) == []
    assert [row["version"] for row in versions.read(built.path)] == ["0.1.0"]
