"""The pipeline as its files say it: jobs, what each waits for, as whom it acts, what it writes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pangeo_core.errors import BadInput
from proof_book.figures.diagram import Box, Diagram, essential

FOLDER = ".github"
HERE = "$/"  # an action of this repository
ROLE = re.compile(r":role/\$\{\{[^}]*\}\}-(.+)$")  # after the project's name
INPUT = re.compile(r"\$\{\{ inputs\.([\w-]+) \}\}")


@dataclass(frozen=True)
class Job:
    """One job. `needs` are jobs of its workflow; `takes` and `leaves` are artifacts, by the part of
    their name before any expression; `roles` are AWS roles, `writes` what it may write at GitHub.
    """

    workflow: str
    id: str
    name: str
    needs: tuple[str, ...]
    environment: str
    roles: tuple[str, ...]
    writes: tuple[str, ...]
    takes: tuple[str, ...]
    leaves: tuple[str, ...]
    minutes: int


@dataclass(frozen=True)
class Workflow:
    """One workflow: its file, its name, what starts it, and its jobs in order."""

    file: str
    name: str
    starts: tuple[str, ...]
    jobs: tuple[Job, ...]


def read(project: Path) -> list[Workflow]:
    """Return the project's workflows. Raises `BadInput` for a file that is none."""
    files = sorted((project / FOLDER / "workflows").glob("*.yml"))
    return [_workflow(project, file) for file in files]


def _workflow(project: Path, file: Path) -> Workflow:
    content = _yaml(file)
    jobs = tuple(_job(project, file.name, key, job) for key, job in content["jobs"].items())
    return Workflow(file.name, content["name"], tuple(_starts(content["on"])), jobs)


def _starts(on: Mapping[str, Any]) -> Iterator[str]:
    for event, how in on.items():
        crons = [one["cron"] for one in how] if event == "schedule" else []
        yield from (crons or [event.replace("_", " ")])


def _job(project: Path, file: str, key: str, job: Mapping[str, Any]) -> Job:
    needs = job.get("needs") or []
    place = job.get("environment") or ""
    steps = list(_steps(project, job["steps"], {}))
    given = [(step["uses"].split("@")[0], step.get("with") or {}) for step in steps]
    return Job(
        file,
        key,
        _plain(job["name"]),
        (needs,) if isinstance(needs, str) else tuple(needs),
        _plain(place["name"] if isinstance(place, Mapping) else place),
        tuple(
            _plain(found[1])
            for _, values in given
            if (found := ROLE.search(values.get("role-to-assume", "")))
        ),
        tuple(k for k, v in job["permissions"].items() if v == "write" and k != "id-token"),
        tuple(
            _prefix(values.get("name") or values["pattern"])
            for name, values in given
            if name == "actions/download-artifact"
        ),
        tuple(
            _prefix(values["name"]) for name, values in given if name.endswith("upload-artifact")
        ),
        int(job["timeout-minutes"]),
    )


def _steps(
    project: Path, steps: Sequence[Mapping[str, Any]], inputs: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield the steps that use an action, those inside this repository's own actions too.

    `inputs` are what such an action is given, and stand in place of their names.
    """
    for step in steps:
        uses = str(step.get("uses", ""))
        if uses.startswith(HERE):
            action = _yaml(project / uses.removeprefix(HERE) / "action.yml")
            yield from _steps(project, action["runs"]["steps"], step.get("with") or {})
        elif uses:
            given = {k: _filled(str(v), inputs) for k, v in (step.get("with") or {}).items()}
            yield {**step, "with": given}


def _filled(text: str, inputs: Mapping[str, Any]) -> str:
    return INPUT.sub(lambda found: str(inputs.get(found[1], found[0])), text)


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
        # YAML 1.1 reads the key `on` as a truth value.
        return {"on" if key is True else str(key): value for key, value in content.items()}
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise BadInput(f"{file} is not a workflow.", why=str(error)) from error


def _prefix(name: str) -> str:
    return re.split(r"\$\{\{|\*", name)[0]


def _plain(text: str) -> str:
    """Return a text with its expressions named by their last word, as `ENVIRONMENT`."""
    return re.sub(r"\$\{\{[^}]*?(\w+)\s*\}\}", lambda found: found[1].upper(), text)


def diagram(workflows: Sequence[Workflow]) -> Diagram:
    """Return the jobs of `workflows`, with an arrow from each to those that wait for it.

    A job waits for other jobs of its workflow, and for those that leave an artifact which it takes.
    """
    jobs = {f"{one.workflow} {one.id}": one for flow in workflows for one in flow.jobs}
    boxes = {key: Box(one.name, tuple(_lines(one))) for key, one in jobs.items()}
    arrows = {
        (f"{one.workflow} {before}", key): 1 for key, one in jobs.items() for before in one.needs
    }
    for key, one in jobs.items():
        for other, its in jobs.items():
            handed = set(one.takes) & set(its.leaves)
            if handed and one.workflow != its.workflow:
                arrows[other, key] = 1
    return Diagram(boxes, essential(arrows), early=True)


def _lines(job: Job) -> Iterator[str]:
    yield job.workflow
    if job.environment:
        yield f"approved for {job.environment}"
    yield from (f"role {role}" for role in job.roles)
    yield from (f"writes {what}" for what in job.writes)
