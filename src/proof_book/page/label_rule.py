"""A result's label follows from its inputs: what no author may type.

Each file in `data/` has an origin, listed in `data/origins.csv`. Labels differ in how cautious
they are: `measured` and `published` are what somebody saw, `derived` is computed from that,
`modelled` is not observed, `sample` is made up. A result may carry

- no label that is less cautious than one of its inputs;
- `measured` or `published` only where all of its inputs are that, and not a mixture of both;
- `published` only where each number that it shows stands in one of its sources.

A more cautious label than the inputs ask for is the author's right.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path

from pangeo_core.errors import BadInput
from pangeo_core.origin import Origin
from proof_book.page.executed_results import Result

CAUTION = {
    Origin.MEASURED: 0,
    Origin.PUBLISHED: 0,
    Origin.DERIVED: 1,
    Origin.MODELLED: 2,
    Origin.SAMPLE: 3,
}
LIST = Path("data") / "origins.csv"
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def read(project: Path) -> dict[str, Origin]:
    """Return the origin of each pattern of files in the project's list, nothing without one.

    Raises `BadInput` for a label that there is not.
    """
    file = project / LIST
    if not file.exists():
        return {}
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return {row["file"]: Origin.of(row["origin"]) for row in rows}


def refuse(results: Iterable[Result], folder: Path, project: Path) -> None:
    """Raise `BadInput` that names each result whose label its inputs do not carry.

    `folder` holds the results' own data, as `executed_results.collect` wrote them.
    """
    known = read(project)
    wrong = [
        f"{result.key} is labelled {result.origin}: {why}"
        for result in results
        if known and (why := _objection(result, folder, project, known))
    ]
    if wrong:
        raise BadInput(
            f"{len(wrong)} labels do not follow from what the results are made of",
            why="\n".join(wrong),
            fix=f"Use the label that follows, or correct {LIST} if a file's origin is wrong.",
        )


def _objection(result: Result, folder: Path, project: Path, known: Mapping[str, Origin]) -> str:
    files = [source for source in result.sources if source.startswith("data/")]
    origins = {file: origin_of(file, known) for file in files}
    if unlisted := [file for file, origin in origins.items() if origin is None]:
        return f"{', '.join(unlisted)} is not in {LIST}"
    label = Origin(result.origin)
    for file, origin in origins.items():
        assert origin is not None
        if CAUTION[origin] > CAUTION[label]:
            return f"{file} is {origin}, and so is what is made of it"
        if CAUTION[label] == 0 and origin != label:
            return f"{file} is {origin}: a mixture is derived"
    if label == Origin.PUBLISHED and files:
        new = _numbers(_shown(result, folder)) - _numbers(*_texts(files, project))
        if new:
            few = ", ".join(map(str, sorted(new)[:3]))
            return f"{few} ({len(new)} in all) stand in none of its sources, so it is derived"
    return ""


def origin_of(file: str, known: Mapping[str, Origin]) -> Origin | None:
    """Return the origin of a file (`data/x.csv`) or folder (`data/months/`), None if unlisted."""
    name = file.removeprefix("data/")
    return next((origin for pattern, origin in known.items() if fnmatch(name, pattern)), None)


def _shown(result: Result, folder: Path) -> str:
    if "data" in result.files:
        return (folder / result.files["data"]).read_text()
    return result.value


def _texts(files: Iterable[str], project: Path) -> list[str]:
    paths = [project / file for file in files if (project / file).is_file()]
    return [path.read_text(errors="replace") for path in paths]


def _numbers(*texts: str) -> set[Decimal]:
    """Return the numbers in `texts`, but for 0: what stands where a table has no row."""
    return {Decimal(number) for text in texts for number in _NUMBER.findall(text)} - {Decimal(0)}
