"""The lock: complete, exact, hashed, free of addresses, and the same for Binder."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ENTRY = re.compile(r"^(?P<name>[a-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>\S+)", re.MULTILINE)


@pytest.fixture(scope="module")
def lock(project: Path) -> str:
    return (project / "requirements.lock").read_text()


def pins(text: str) -> dict[str, str]:
    return {found["name"]: found["version"] for found in ENTRY.finditer(text)}


def selected(project: Path, *arguments: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "tools/lock.py", "select", *arguments],
        cwd=project, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return pins(done.stdout)


def test_every_package_has_an_exact_version_and_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[a-z])", lock, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert len(entries) == len(pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)


def test_no_address_is_written(lock: str) -> None:
    assert not re.search(r"://|^--(?!hash)|index-url|find-links", lock, flags=re.MULTILINE)


def test_whatever_the_project_declares_is_locked(project: Path, lock: str) -> None:
    declared = tomllib.loads((project / "pyproject.toml").read_text())
    groups = declared["dependency-groups"]
    needs = [
        *declared["project"]["dependencies"],
        *(need for group in groups.values() for need in group),
    ]
    names = {re.split(r"[^A-Za-z0-9._-]", need)[0].lower().replace("_", "-") for need in needs}
    assert names <= pins(lock).keys()


def test_all_groups_together_are_the_whole_lock(project: Path, lock: str) -> None:
    groups = tomllib.loads((project / "pyproject.toml").read_text())["dependency-groups"]
    assert selected(project, *groups) == pins(lock)


def test_a_part_is_closed_over_what_its_packages_need(project: Path) -> None:
    """Whatever an installed package of the part asks for here is in the part too."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    part = selected(project, "book")
    missing = []
    for name in part:
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue  # for another platform or Python
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                wanted = re.sub(r"[._-]+", "-", need.name).lower()
                missing += [f"{name} -> {wanted}"] if wanted not in part else []
    assert not missing


def test_binder_installs_the_same_pins(project: Path, lock: str) -> None:
    environment = yaml.safe_load((project / "environment.yml").read_text())
    python, pip, packages = environment["dependencies"]
    assert python == "python=3.11"
    assert pip == "pip"
    listed = pins("\n".join(packages["pip"]))
    assert listed == selected(project, "build", "terraform")
    assert listed.items() <= pins(lock).items()
    assert not [line for line in packages["pip"] if line.startswith("-") or "/" in line]


def test_binder_environment_is_written_from_the_lock(project: Path) -> None:
    sys.path.insert(0, str(project / "tools"))
    try:
        import lock as tool
    finally:
        sys.path.pop(0)
    written = (project / "environment.yml").read_text()
    assert tool.environment((project / "requirements.lock").read_text()) == written


def test_an_unknown_group_is_named(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tools/lock.py", "select", "nothing"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "nothing" in done.stderr
