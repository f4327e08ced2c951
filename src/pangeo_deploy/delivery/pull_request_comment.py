"""The one comment on a pull request: what it destroys, what it costs, which rules it breaks."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pangeo_deploy.delivery.deployment_record import review_digest
from pangeo_deploy.delivery.plan_review import problems
from pangeo_deploy.delivery.public_values import HIDDEN
from pangeo_deploy.targets import named
from pangeo_deploy.terraform.attributes import UNKNOWN, compact

MARKER = "<!-- pangeo-deploy: plan -->"
# In this order: what cannot be taken back comes first.
ACTIONS = {"delete": "destroyed", "replace": "replaced", "update": "changed", "create": "made"}
# What touches Terraform's state alone.
OF_THE_STATE = {"forget": "left to themselves", "import": "imported", "move": "moved"}
LOUD = ("delete", "replace")
MOST = 50  # resources of one action; the rest is counted
MOST_VALUES = 12  # of one resource
LONGEST = 60_000  # characters: GitHub refuses a comment of more than 65,536

Review = Mapping[str, Any]


def comment(
    reviews: Iterable[Review],
    *,
    run: str = "",
    preview: str = "",
    results: Mapping[str, str] | None = None,
) -> str:
    """Return the comment as Markdown.

    `reviews` are one an environment. `run` and `preview` are addresses: of
    the workflow's run, and of the book as the change leaves it. `results` are the other checks'
    (`success`, `failure`, ...) by name. Names from the plan are shown as code, so that nothing in
    them becomes markup or calls somebody.
    """
    found = sorted(reviews, key=lambda one: one["environment"])
    parts = [MARKER, f"## {_headline(found)}", _table(found)]
    parts += [_environment(one) for one in found]
    links = [
        f"[{text}]({address})"
        for text, address in (("The book with this change", preview), ("The run", run))
        if address
    ]
    checks = [f"{name}: {result}" for name, result in sorted((results or {}).items())]
    parts.append("\n".join(f"- {one}" for one in (*links, *checks)))
    text = "\n\n".join(part for part in parts if part) + "\n"
    return (
        text if len(text) <= LONGEST else f"{text[:LONGEST]}\n\nCut here; the run has it whole.\n"
    )


def _headline(reviews: Sequence[Review]) -> str:
    if not reviews:
        return "No plan was made"
    if any(problems(one) for one in reviews):
        return "This change may not be deployed as it is"
    if lost := sum(one[action] for one in reviews for action in LOUD):
        return f"This change destroys or replaces {lost} resources"
    changed = sum(one.get(action, 0) for one in reviews for action in (*ACTIONS, *OF_THE_STATE))
    return f"This change touches {changed} resources" if changed else "No resource changes"


def _table(reviews: Sequence[Review]) -> str:
    if not reviews:
        return ""
    rows = [
        (
            one["environment"],
            *(_count(one, action) for action in ACTIONS),
            f"{_usd(one['cost']['floor_before'])} → {_usd(one['cost']['floor_after'])}",
            f"{_usd(one['cost']['use_before'])} → {_usd(one['cost']['use_after'])}",
            _budget(one),
            len(one["policy"]) + len(one["charts"]) or "none",
        )
        for one in reviews
    ]  # fmt: skip
    columns = ("environment", *ACTIONS.values(), "always on, USD a month",
               "assumed use, USD a month", "budget", "findings")  # fmt: skip
    return rows_of(columns, rows)


def _environment(review: Review) -> str:
    name, target = review["environment"], review["target"]
    where = named(target).where
    parts = [f"### {name}", f"Planned {where}."]
    if found := problems(review):
        parts.append("**Findings**\n\n" + "\n".join(f"- {code(one)}" for one in found))
    for action, done in (ACTIONS | OF_THE_STATE).items():
        lines = [_resource(each) for each in review["resources"] if each["action"] == action]
        if lines:
            rest = [f"- and {len(lines) - MOST} more"] if len(lines) > MOST else []
            listed = "\n".join([*lines[:MOST], *rest])
            head = f"{len(lines)} {done}"
            parts.append(f"**{head}**\n\n{listed}" if action in LOUD else _folded(head, listed))
    if lines := [_output(each) for each in review.get("outputs", ()) if each["action"] != "create"]:
        parts.append(_folded(f"{len(lines)} outputs changed", "\n".join(lines)))
    if any(HIDDEN in part for part in parts):
        parts.append(f"{code(HIDDEN)} is what this repository's files do not hold.")
    for chart, text in review.get("charts_diff", {}).items():
        fenced = text.replace("```", "'''")
        parts.append(_folded(f"The chart {chart}", f"```diff\n{fenced}\n```"))
    if lines := review["cost"]["difference"]:
        rows = [
            (code(one["address"]), *(_usd(one[key]) for key in ("before", "after", "change")))
            for one in lines
        ]
        columns = ("resource", "before", "after", "change, USD a month")
        parts.append(_folded("What the price difference is made of", rows_of(columns, rows)))
    if unpriced := review["cost"]["unpriced"]:
        parts.append(f"{unpriced} resources have no price here: `cost estimate {name}` lists them.")
    parts.append(f"Plan {code(review_digest(review)[:16])} of {code(review['commit'][:12])}. "
                 "After the merge this is done, and nothing else.")  # fmt: skip
    return "\n\n".join(parts)


def _resource(resource: Mapping[str, Any]) -> str:
    """Return a resource's line and, below it, what changes of it: `public_values` chose what."""
    notes = [
        code(resource["reason"]) if resource.get("reason") else "",
        f"from {code(resource['moved_from'])}" if resource.get("moved_from") else "",
        f"import of {code(resource['import_id'])}" if resource.get("import_id") else "",
    ]
    told = "; ".join(note for note in notes if note)
    head = f"- {code(resource['address'])}" + (f" ({told})" if told else "")
    return "\n".join([head, *_values(resource.get("changes", ()))])


def _output(output: Mapping[str, Any]) -> str:
    return "\n".join([f"- {code(output['name'])}", *_values(output["changes"])])


def _values(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line a value, what forces a replacement first, and one of what nobody knows yet."""
    known = sorted(changes, key=lambda one: not one["replaces"])
    later = [one["attribute"] for one in known if one["after"] == UNKNOWN and not one["replaces"]]
    lines = [
        f"  - {code(one['attribute'] or 'value')}: {code(compact(one['before']))} → "
        f"{code(compact(one['after']))}" + (" (forces replacement)" if one["replaces"] else "")
        for one in known
        if one["replaces"] or one["after"] != UNKNOWN
    ]
    if len(lines) > MOST_VALUES:
        lines = [*lines[:MOST_VALUES], f"  - and {len(lines) - MOST_VALUES} more"]
    return [*lines, f"  - known after apply: {', '.join(map(code, later))}"] if later else lines


def _count(review: Review, action: str) -> str:
    count = review[action]
    return f"**{count}**" if count and action in LOUD else str(count)


def _budget(review: Review) -> str:
    held = review["cost"]["gate"]
    if held["budget"] is None:
        return "none needed" if held["ok"] else "**unknown**"
    return f"{held['budget']}, " + ("within" if held["ok"] else "**PASSED**")


def _usd(text: str) -> str:
    return f"{Decimal(text):.2f}"


def _folded(head: str, body: str) -> str:
    return f"<details><summary>{head}</summary>\n\n{body}\n\n</details>"


def rows_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def code(text: object) -> str:
    """Return `text` as Markdown code on one line, whatever it holds; in tables too."""
    plain = " ".join(str(text).split()).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`"
