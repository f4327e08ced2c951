"""Checks whether the programs that a target calls are installed and new enough."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from pangeo_deploy.charts.programs import WHERE, find
from pangeo_deploy.targets.check import Check

PATIENCE_SECONDS = 60.0

Version = tuple[int, int]


@dataclass(frozen=True)
class Program:
    """A program, the command that prints its version, and where to get it."""

    name: str
    words: tuple[str, ...]
    address: str
    pattern: str = r"v?(\d+)\.(\d+)"


HELM = Program("helm", ("version", "--short"), WHERE["helm"])
KUBECTL = Program(
    "kubectl",
    ("version", "--client", "--output", "json"),
    WHERE["kubectl"],
    r'"gitVersion": "v(\d+)\.(\d+)',
)
AWS = Program(
    "aws",
    ("--version",),
    "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    r"aws-cli/(\d+)\.(\d+)",
)
OLDEST_HELM, OLDEST_AWS = (3, 18), (2, 0)


def programs(kubernetes: Version, with_aws: bool) -> Iterator[Check]:
    """Yield the checks of helm, kubectl and, where it is used, the AWS CLI.

    kubectl works with a Kubernetes one minor version older or newer than itself.
    """
    yield checked(HELM, OLDEST_HELM)
    yield checked(KUBECTL, (kubernetes[0], kubernetes[1] - 1))
    if with_aws:
        yield checked(AWS, OLDEST_AWS)


def checked(program: Program, oldest: Version) -> Check:
    """Return whether a program is on PATH and at least of the version `oldest`."""
    wanted = ".".join(map(str, oldest))
    fix = f"Install {program.name} {wanted} or newer: {program.address}"
    path = find(program.name)
    if not path:
        return Check(program.name, False, "not on PATH", fix)
    version = version_of(program, path)
    if version is None:
        return Check(program.name, False, f"{path} does not say its version", fix)
    detail = f"{path}, {'.'.join(map(str, version))}"
    ok = version >= oldest
    return Check(program.name, ok, detail, "" if ok else fix)


def version_of(program: Program, path: str) -> Version | None:
    """Return the major and minor version that the program at `path` prints."""
    try:
        done = subprocess.run(
            [path, *program.words],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(program.pattern, f"{done.stdout} {done.stderr}")
    return (int(found[1]), int(found[2])) if found and not done.returncode else None
