"""What the scheduled checks have to say, each in one issue: opened, kept up to date, closed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pangeo_core.errors import BadInput
from pangeo_core.files import read_json
from pangeo_deploy.delivery.pull_request_comment import code, rows_of

LABEL = "watch"
MOST = 100  # rows; a comparison of a whole account would pass what an issue holds
Action = Literal["open", "update", "close", "nothing"]


@dataclass(frozen=True)
class Notice:
    """What a check found. `key` names its issue; `ok` means that there is nothing to do."""

    key: str
    ok: bool
    title: str
    body: str

    @property
    def marker(self) -> str:
        """The line by which the issue is found again."""
        return f"<!-- pangeo-deploy: {self.key} -->"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON that one job hands to the next."""
        return asdict(self)


@dataclass(frozen=True)
class Upkeep:
    """What to do with a notice's issue: `number` is the open one's, None to open one."""

    action: Action
    number: int | None
    title: str
    body: str


def upkeep(notice: Notice, issues: Iterable[Mapping[str, Any]]) -> Upkeep:
    """Decide what becomes of a notice, from the open issues (`number`, `title`, `body`)."""
    mine = [one for one in issues if notice.marker in (one.get("body") or "")]
    number = min((int(one["number"]) for one in mine), default=None)
    body = f"{notice.marker}\n{notice.body}"
    if notice.ok:
        action: Action = "nothing" if number is None else "close"
    elif number is None:
        action = "open"
    else:
        known = next(one for one in mine if one["number"] == number)
        same = (known.get("title"), (known.get("body") or "").replace("\r\n", "\n"))
        action = "nothing" if same == (notice.title, body) else "update"
    return Upkeep(action, number, notice.title, body)


def read(paths: Iterable[Path]) -> list[Notice]:
    """Return the notices in these files, or in the folders' files."""
    files = [
        file
        for path in paths
        for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])
    ]
    try:
        return [Notice(**read_json(file)) for file in files]
    except TypeError as error:
        raise BadInput("A file holds no notice.", why=str(error)) from None


def drifted(environment: str, found: Sequence[Any]) -> Notice:
    """Say what was changed behind Terraform's back."""
    rows = [
        tuple(map(code, (one.address, one.attribute, _short(one.expected), _short(one.found))))
        for one in found[:MOST]
    ]
    body = (
        f"The account of `{environment}` is not as Terraform left it.\n\n"
        + rows_of(("resource", "attribute", "expected", "found"), rows)
        + _more(found)
        + f"\n\nTake the change into the code, or plan and apply to undo it:"
        f" `pangeo-deploy plan {environment}`. The issue closes when the two agree."
    )
    title = f"{environment}: {len(found)} attributes were changed outside of Terraform"
    return Notice(f"drift {environment}", not found, title, body)


def undeployed(environment: str, changes: Sequence[Any]) -> Notice:
    """Say what main holds and the account does not have."""
    rows = [(code(change.action), code(change.address)) for change in changes[:MOST]]
    body = (
        f"What `main` holds is not what runs in `{environment}`: a deployment failed, was"
        " cancelled, waits for its approval, or never began.\n\n"
        + rows_of(("to do", "resource"), rows)
        + _more(changes)
        + "\n\nApprove the deployment that waits, or run `Review` on main and give `Deploy` its"
        " run's number."
    )
    title = f"{environment}: {len(changes)} changes of main are not deployed"
    return Notice(f"undeployed {environment}", not changes, title, body)


def left_open(environment: str, before: Any, now: Any) -> Notice:
    """Say which addresses could reach the Kubernetes API although nobody was deploying."""
    extra = sorted(before.networks - now.networks) if before and now else []
    body = (
        "A job that was lost had left the API open to "
        + ", ".join(map(code, extra))
        + ". It was closed to them. Look into the log of the last deployment."
    )
    title = f"{environment}: the Kubernetes API had been left open"
    return Notice(f"access {environment}", not extra, title, body)


def swept(environment: str, orphans: Sequence[Any], others: int) -> Notice:
    """Say what carries the deployment's tags and is not in its state."""
    rows = [(code(one.type), code(one.id), one.usd_per_month or "not known") for one in orphans]
    body = (
        f"These carry the tags of `{environment}`, and Terraform does not know them.\n\n"
        + rows_of(("type", "id", "USD a month"), rows[:MOST])
        + _more(orphans)
        + f"\n\n{others} more are of the kinds that a running cluster makes and takes away."
        "\nRemove what nobody needs; the issue closes when nothing is left."
    )
    title = f"{environment}: {len(orphans)} things outside of Terraform's state"
    return Notice(f"sweep {environment}", not orphans, title, body)


def outstayed(environment: str, found: Any) -> Notice:
    """Say which servers and clusters should be gone (`found` is a janitor's `Round`)."""
    left = [one for one in found.outstayed if not one.ended]
    rows = [(one.kind, code(one.reason), one.usd_per_hour or "not known") for one in left[:MOST]]
    body = (
        f"At the hub of `{environment}` these should have ended by themselves. Whose they are is"
        f" told by `pangeo-deploy janitor {environment}`, which can end them.\n\n"
        + rows_of(("kind", "why", "USD an hour, list price"), rows)
        + _more(left)
    )
    title = f"{environment}: {len(left)} servers and clusters have outstayed"
    return Notice(f"janitor {environment}", not left, title, body)


def support_ends(environment: str, version: str, end: date, today: date, usd: str | None) -> Notice:
    """Warn before a Kubernetes version costs more; `usd` is what a month of it adds."""
    left = (end - today).days
    more = f"{usd} USD a month more" if usd else "more"
    when = f"in {left} days, on {end}" if left >= 0 else f"since {end}"
    body = (
        f"Kubernetes {version} of `{environment}` leaves EKS' standard support {when}."
        f" The cluster then costs {more} at list prices, until it is upgraded.\n\n"
        "Set `kubernetes_version` in its tfvars to the next version, one at a time."
    )
    title = f"{environment}: Kubernetes {version} leaves standard support on {end}"
    return Notice(f"support {environment}", left > NOTICE_DAYS, title, body)


NOTICE_DAYS = 90


BAD = ("failure", "cancelled")
# What to do, by the name that a workflow reports under.
ADVICE = {
    "deploy": "**Run the failed jobs again** if the cause has passed: what is applied already is "
    "recognised, and the rest is done. If the plan is refused, run `Review` on main, read its "
    "plans, and give `Deploy` its run's number. To go back, use `Roll back` with the commit of "
    "the last good deployment (the branch `records` has them).",
    "rollback": "Run the failed jobs again, or deploy forward: `Review` on main, then `Deploy`.",
    "destroy": "Run the failed jobs again: it goes on where it stopped.",
    "event": "Run the failed jobs again.",
}


def outcome(key: str, needs: Mapping[str, Any], run: str) -> Notice:
    """Say whether jobs went through (`needs` is the workflow's own context of that name)."""
    bad = {name: job["result"] for name, job in needs.items() if job["result"] in BAD}
    body = (
        "These jobs did not finish:\n\n"
        + rows_of(("job", "result"), [(code(name), result) for name, result in bad.items()])
        + f"\n\nThe run: {run}\n"
        + f"{ADVICE.get(key, '')}\nThe issue closes when they pass again.".lstrip()
    )
    title = f"{key} fails: {', '.join(bad)}" if bad else f"{key} passes"
    return Notice(f"outcome {key}", not bad, title, body)


def _more(found: Sequence[Any]) -> str:
    return f"\n\nand {len(found) - MOST} more" if len(found) > MOST else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else f"{text[:120]}…"
