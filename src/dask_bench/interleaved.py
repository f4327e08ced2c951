"""`bench ab`: measure two environments alternately, each in processes of its own.

Each arm is a Python process with its own packages, code and Dask settings, and its own cluster. The
campaign runs one arm after the other, in random order within each block, so that other load on the
machine affects both. An arm's response is a row of the run table.

An arm reads requests, a line of JSON each, and answers each with a line. It is started as
`python -m dask_bench.interleaved`, with this version of `dask_bench` on its path unless the arm is
another commit of ours, which has its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dask_bench.campaign_plan import Configuration, configurations
from pangeo_core.errors import BadInput, MissingPrerequisite

ARMS = ("a", "b")
_READY = {"ready": True}


@dataclass(frozen=True)
class Arm:
    """An environment: a Python, its folder of packages, and Dask settings."""

    name: str
    python: Path
    source: Path | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def environment(self) -> dict[str, str]:
        """Return the environment variables of its process."""
        source = self.source or Path(__file__).parent.parent
        known = {**os.environ, "PYTHONPATH": str(source)}
        for key, value in self.settings:
            known["DASK_" + key.replace(".", "__").replace("-", "_").upper()] = value
        return known


@dataclass
class Running:
    """An arm's process."""

    arm: Arm
    process: "subprocess.Popen[str]"

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return the response. Raises `MissingPrerequisite` if the arm died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise MissingPrerequisite(
                f"The environment {self.arm.name} ended.",
                why=f"{self.arm.python} stopped with {self.process.wait()}, as it says above.",
                fix="Give a Python that has dask, distributed, xarray, zarr, flox and pandas.",
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(arms: Sequence[Arm], plan: Mapping[str, Any], folder: Path) -> Iterator[list[Running]]:
    """Start the arms' processes, send each the plan, and end them."""
    with ExitStack() as stack:
        started = []
        for arm in arms:
            process = stack.enter_context(
                subprocess.Popen(
                    [str(arm.python), "-m", "dask_bench.interleaved"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=arm.environment(),
                    text=True,
                )
            )
            stack.callback(process.terminate)
            started.append(Running(arm, process))
        for one in started:
            one.ask({**plan, "folder": str(folder)})
        yield started


def parse(name: str, wanted: Sequence[str], here: Path = Path(sys.executable)) -> Arm:
    """Return the arm that a user described by any number of the following.

    A folder with bin/python (an environment), a folder with dask_bench (the `src` of a checkout),
    or KEY=VALUE (a Dask setting). Raises `BadInput` for anything else.
    """
    python, source, settings = here, None, []
    for text in wanted:
        folder = Path(text)
        if text == ".":  # this one
            continue
        if "=" in text:
            key, _, value = text.partition("=")
            settings.append((key, value))
        elif (folder / "bin" / "python").exists():
            python = folder.absolute() / "bin" / "python"
        elif (source_of := _source(folder)) is not None:
            source = source_of
        else:
            raise BadInput(
                f"{text} is not an environment.",
                why="It is neither a folder with bin/python, nor a checkout with src/dask_bench, "
                "nor a setting.",
                fix="Give a virtual environment, a git worktree of another commit, or a Dask "
                "setting such as array.rechunk.method=tasks.",
            )
    return Arm(name, python, source, tuple(settings))


def _source(folder: Path) -> Path | None:
    for place in (folder / "src", folder):
        if (place / "dask_bench" / "interleaved.py").is_file():
            return place.absolute()
    return None


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests: the first is the plan, all others are configurations to run once."""
    from dask_bench import allocator, campaign, zarr_store
    from dask_bench.campaign_plan import Plan
    from dask_bench.cluster import Shape, local
    from dask_bench.fields import Field

    asked = json.loads(requests.readline())
    layout = asked["layout"]
    plan = Plan(
        "ab",
        asked["tier"],
        zarr_store.Layout(**{**layout, "field": Field(**layout["field"])}),
        tuple(asked["workloads"]),
        tuple(asked["workers"]),
        seed=asked["seed"],
        longest=asked["longest"],
    )
    cluster = local(Shape(asked["threads"], asked["memory_limit_mb"]))
    common = campaign.origin_of(Path(__file__).parents[2])
    run = campaign.Campaign(plan, Path("ab"), Path(asked["folder"]), cluster, common)
    known = {config.key: config for config in configurations(plan)}
    allocator.keep_memory()
    try:
        print(json.dumps(_READY), file=answers, flush=True)
        for line in requests:
            request = json.loads(line)
            config = known[request["workload"], request["workers"], 0]
            row = {**common, **run.measured(config, request["block"], request["role"])}
            print(json.dumps(row, default=_plain), file=answers, flush=True)
    finally:
        cluster.close()


def request_of(config: Configuration, block: int, role: str) -> dict[str, Any]:
    """Return the request to run a configuration once."""
    return {
        "workload": config.workload.name,
        "workers": config.workers,
        "block": block,
        "role": role,
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else str(value)


if __name__ == "__main__":
    # Output of libraries must not come between the responses.
    out, sys.stdout = sys.stdout, sys.stderr
    serve(sys.stdin, out)
