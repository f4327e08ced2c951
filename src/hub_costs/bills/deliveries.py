"""Which files are one delivery of a bill, and which are older deliveries of the same.

A provider writes a bill again and again until its month is final. What it writes at one time is a
*delivery*: one or more files (chunks) that together are the bill. Two deliveries of one month say
the same cost twice; two chunks of one delivery never do. A delivery is known by

1. its manifest: the assembly of a legacy CUR (`reportKeys`), the execution of a CUR 2.0 or FOCUS
   export of AWS (`dataFiles`), the run of an export of Azure (`blobs`);
2. the folder of its execution, `BILLING_PERIOD=2024-12/2024-12-05T08:00:00.000Z-<id>/`;
3. the request that it answers (Cost Explorer; see `cost_explorer`);
4. the names of its chunks: one folder, one stem, and a number as exports write it
   (`bill-00001.csv.gz`, `part-0.parquet`), or numbers that count from 0 without a gap, as programs
   count (`k0.csv`, `k1.csv`; people count versions from 1);
5. the tree `FOCUS Reports/`: Oracle's reports are increments, which add to one bill.

Any other file is a delivery of its own, as old as the file. Which of several deliveries speaks for
a month is decided in `selection`, by what they say.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hub_costs.bills import cost_explorer
from hub_costs.bills.bill_files import Listing, Source
from hub_costs.bills.manifests import EXECUTION_TIME, Manifest, by_export, moment
from pangeo_core.errors import BadInput

# A chunk's number: padded to at least four digits, or after a word that means a piece.
_CHUNK = re.compile(
    r"(?P<stem>.*?(?:^|[-_.])(?:part|chunk|data|split|page)|.+)[-_.](?P<number>\d+)"
    r"(?P<tail>(?:[-_.][0-9a-f-]{8,}[^.]*(?:\.c\d+)?)?(?:\.\w+)*?\.(?:csv|csv\.gz|parquet))$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Delivery:
    """Files that together are a bill as of one time.

    `label` names it in messages. `id` is the provider's own name for it, or empty where only the
    file's age tells when it is from; `time` is in seconds since 1970.
    """

    label: str
    id: str
    time: float
    files: tuple[Source, ...]
    rows: tuple[cost_explorer.Row, ...] = ()  # of Cost Explorer
    question: str = ""


@dataclass(frozen=True)
class Grouping:
    """Deliveries to read, oldest first, and what is left out before anything is read."""

    read: tuple[Delivery, ...]
    older: tuple[tuple[Delivery, Delivery], ...]  # (left out, the newer one that is read)
    stray: tuple[tuple[Source, str], ...]  # files that the manifest of their export does not name
    notes: tuple[str, ...]


def group(listing: Listing) -> Grouping:
    """Return the deliveries that the files of `listing` are.

    Raises `BadInput` where the newest manifest of an export names a file that is not there.
    """
    free = {source.location: source for source in listing.sources if source.kind != "json"}
    pages = [source for source in listing.sources if source.kind == "json"]
    read: list[Delivery] = []
    older: list[tuple[Delivery, Delivery]] = []
    stray: list[tuple[Source, str]] = []
    notes: list[str] = []
    for manifests in by_export(listing).values():
        newest, deliveries = _of_manifests(manifests, free)
        read.append(newest)
        older += [(delivery, newest) for delivery in deliveries if delivery.files]
        known = {*newest.files, *(file for delivery in deliveries for file in delivery.files)}
        beside = [source for source in _strays(newest, free) if source not in known]
        stray += [(source, newest.label) for source in beside]
        for source in (*known, *beside):
            free.pop(source.location, None)
    executions, rest = _executions(list(free.values()))
    for versions in executions.values():
        read.append(versions[-1])
        older += [(delivery, versions[-1]) for delivery in versions[:-1]]
    for delivery, gaps in _chunked(rest):
        read.append(delivery)
        if gaps:
            notes.append(
                f"{delivery.label}: chunk {', '.join(map(str, gaps))} is not there. If the export"
                " has it, cost is missing."
            )
    read += [
        Delivery(answer.label, answer.id, answer.time, answer.pages, answer.rows, answer.question)
        for answer in cost_explorer.answers(pages)
    ]
    read.sort(key=lambda delivery: (delivery.time, delivery.label))
    return Grouping(tuple(read), tuple(older), tuple(stray), tuple(notes))


def _of_manifests(
    manifests: Sequence[Manifest], free: dict[str, Source]
) -> tuple[Delivery, list[Delivery]]:
    """Return the newest delivery of an export's period, whole, and the older ones."""
    deliveries = []
    for manifest in manifests:
        files = [_file(key, manifest, free) for key in manifest.keys]
        missing = [key for key, file in zip(manifest.keys, files, strict=True) if file is None]
        if missing and manifest is manifests[-1]:
            raise BadInput(
                f"{manifest.location} names {missing[0]}, which is not there"
                + (f" ({len(missing)} files are missing)." if len(missing) > 1 else "."),
                why="Without it, cost would be missing from the bill.",
                fix="Fetch the whole export, with its manifest.",
            )
        there = tuple(file for file in files if file is not None)
        label = f"{manifest.location} ({manifest.id})" if manifest.id else manifest.location
        deliveries.append(Delivery(label, manifest.id or label, manifest.time, there))
    newest = deliveries[-1]
    # An export that overwrites its files leaves older manifests that name the same ones.
    older = [
        replace(old, files=tuple(file for file in old.files if file not in newest.files))
        for old in deliveries[:-1]
    ]
    return newest, older


def _file(key: str, manifest: Manifest, free: dict[str, Source]) -> Source | None:
    """Return the file that a manifest means: by as much of its path as is here."""
    parts = key.removeprefix("s3://").split("/")
    beside = manifest.location.rpartition("/")[0] + "/" + parts[-1]
    if beside in free:
        return free[beside]
    # As much of the path as tells deliveries apart must be here.
    ends = [n for n, part in enumerate(parts) if manifest.id and manifest.id in part]
    for start in range((ends[-1] if ends else len(parts) - 1) + 1):
        end = "/".join(parts[start:])
        fits = [s for where, s in free.items() if where == end or where.endswith("/" + end)]
        if len(fits) == 1:
            return fits[0]
    return None


def _strays(newest: Delivery, free: dict[str, Source]) -> Iterator[Source]:
    """Yield files beside a manifest's that it does not name: what an older delivery left."""
    folders = {file.location.rpartition("/")[0] for file in newest.files}
    for location, source in free.items():
        if source not in newest.files and location.rpartition("/")[0] in folders:
            yield source


def _executions(
    sources: Sequence[Source],
) -> tuple[dict[str, list[Delivery]], list[Source]]:
    """Return deliveries by the folders of their executions, oldest first; and the other files."""
    folders: dict[tuple[str, str, float], list[Source]] = defaultdict(list)
    rest = []
    for source in sources:
        folder = source.location.rsplit("/", 1)[0] if "/" in source.location else ""
        if match := EXECUTION_TIME.search(folder):
            folders[folder[: match.start()], folder, moment(match[1])].append(source)
        else:
            rest.append(source)
    found: dict[str, list[Delivery]] = defaultdict(list)
    for (parent, folder, time), files in sorted(folders.items(), key=lambda item: item[0][2]):
        found[parent].append(Delivery(folder, folder.rsplit("/", 1)[-1], time, tuple(files)))
    return found, rest


def _chunked(sources: Sequence[Source]) -> Iterator[tuple[Delivery, list[int]]]:
    """Yield deliveries by the names of their chunks, and the numbers that are missing between."""
    chunks: dict[tuple[str, ...], list[tuple[int, Source]]] = defaultdict(list)
    for source in sources:
        folder, _, name = source.location.rpartition("/")
        oracle = re.search(r"^(.*/?FOCUS Reports)/", source.location)
        chunk = _chunk(name)
        if oracle:
            chunks[oracle[1], "", ""].append((0, source))
        elif chunk:
            chunks[folder, chunk["stem"], chunk["tail"]].append((int(chunk["number"]), source))
        else:
            chunks[folder, name, "only"].append((1, source))
    for (folder, stem, _), numbered in _counted_from_0(chunks).items():
        numbered.sort(key=lambda chunk: (chunk[0], chunk[1].location))
        files = tuple(source for _, source in numbered)
        numbers = {number for number, _ in numbered}
        gaps = [n for n in range(min(1, *numbers), max(numbers)) if n not in numbers]
        whole = f"{folder}/{stem}".rstrip("/") if folder else stem
        label = whole if len(files) > 1 else files[0].location
        yield Delivery(label, "", max(file.modified for file in files), files), gaps[:5]


def _counted_from_0(
    chunks: dict[tuple[str, ...], list[tuple[int, Source]]],
) -> dict[tuple[str, ...], list[tuple[int, Source]]]:
    """Return chunks with those files together whose names count from 0."""
    series: dict[tuple[str, ...], list[tuple[int, Source]]] = defaultdict(list)
    for (folder, name, kind), numbered in chunks.items():
        match = re.fullmatch(r"(.*?\D|)(\d{1,3})((?:\.\w+)+)", name) if kind == "only" else None
        if match:
            series[folder, match[1], match[3]].append((int(match[2]), numbered[0][1]))
    found = dict(chunks)
    for key, numbered in series.items():
        if len(numbered) > 1 and {n for n, _ in numbered} == set(range(len(numbered))):
            for _, source in numbered:
                folder, _, name = source.location.rpartition("/")
                del found[folder, name, "only"]
            found[key] = numbered
    return found


def _chunk(name: str) -> re.Match[str] | None:
    """Return the parts of a chunk's name, or None where the name is not one."""
    match = _CHUNK.match(name)
    if match is None:
        return None
    word = re.search(r"(?:^|[-_.])(part|chunk|data|split|page)$", match["stem"], re.IGNORECASE)
    padded = re.fullmatch(r"0{2,}\d+|0\d{3,}", match["number"])
    return match if word or padded else None
