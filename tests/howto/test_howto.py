"""The operator's pages do what they say: their commands, run in one rehearsal in their order."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pangeo_deploy.charts.trees import merged
from tests.conftest import PROJECT

PAGES = (
    "operate",
    "howto-first-deployment",
    "howto-node-pool",
    "howto-event",
    "howto-upgrade",
    "howto-homes",
    "howto-login",
    "howto-leaver",
    "howto-bill",
    "howto-secrets",
    "howto-season",
    "howto-destroy",
)
BLOCK = re.compile(r"^```(bash|hcl|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("terraform", "helm", "data", "pyproject.toml", "requirements.lock")
ALERTS = ("aws_budgets_budget", "aws_ce_anomaly_subscription", "aws_cloudwatch_metric_alarm")


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((PROJECT / "book" / f"{page}.md").read_text())


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    for name in COPIED:
        source = PROJECT / name
        ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An operator's shell: the program on its path, a state of its own; what runs is ended."""
    programs = tmp_path_factory.mktemp("bin")
    script = programs / "pangeo-deploy"
    script.write_text(f"#!{sys.executable}\nfrom pangeo_deploy.cli import main\nmain()\n")
    script.chmod(0o755)
    shell = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PANGEO_DEPLOY_STATE": str(tmp_path_factory.mktemp("state")),
    }
    yield shell
    subprocess.run(
        [str(script), "hub", "down", "staging"], env=shell, check=False, capture_output=True
    )


def edit(clone: Path, kind: str, text: str) -> None:
    """Do what a reader does with a block whose first line names a file: take its lines over."""
    first, _, rest = text.partition("\n")
    assert first.startswith("# "), f"no file is named by {text!r}"
    file = clone / first.removeprefix("# ").strip()
    if kind == "yaml":
        before = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(merged(before, yaml.safe_load(rest)), sort_keys=False))
        return
    for line in rest.splitlines():
        name = line.split("=")[0].strip()
        kept = [one for one in file.read_text().splitlines() if one.split("=")[0].strip() != name]
        file.write_text("\n".join([*kept, line]) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page(clone: Path, environment: dict[str, str], page: str) -> None:
    """One life of an environment: each page goes on from where the one before ended."""
    for kind, text in blocks(page):
        if kind != "bash":
            edit(clone, kind, text)
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=clone, env=environment, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"{page}:\n{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )


def test_every_task_has_commands_that_run() -> None:
    tasks = sorted(path.stem for path in (PROJECT / "book").glob("howto-*.md"))
    assert tasks == sorted(page for page in PAGES if page != "operate")
    for page in PAGES:
        assert any(kind == "bash" for kind, _ in blocks(page)), page


def test_every_option_on_the_pages_is_one(project: Path) -> None:
    """What is not run here, because it needs AWS, is at least a verb with its real options."""
    from pangeo_deploy.cli.sphinx_reference import verbs

    known = {
        name: {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        for name, command in verbs()
    }
    lines = [
        line.strip()
        for path in (project / "book").glob("*.md")
        for fence in re.findall(r"```(?:sh|bash)\n(.*?)```", path.read_text(), re.DOTALL)
        for line in re.split(r"\|\||\n", fence)
        if line.strip().startswith("pangeo-deploy ")
    ]
    assert len(lines) > 30
    for line in lines:
        verb = next((one for one in known if line.startswith(one)), None)
        assert verb is not None, line
        used = {word.split("=")[0] for word in line.split() if word.startswith("--")}
        assert used <= known[verb] | {"--help"}, line


def test_the_table_of_alerts_is_the_codes(project: Path) -> None:
    from pangeo_deploy.targets import named
    from pangeo_deploy.terraform import inventory

    types = named("rehearsal").known_types()
    declared = inventory.read(project / "terraform", types.taggable, types.kept)
    mine = {one.address for one in declared.resources if one.type in ALERTS}
    page = (project / "book/alerts.md").read_text()
    assert set(re.findall(rf"`(module\.\w+\.(?:{'|'.join(ALERTS)})\.\w+)`", page)) == mine
    cost = (project / "terraform/modules/cost/main.tf").read_text()
    kinds = set(re.findall(r'notification_type\s*= "(\w+)"', cost))
    assert set(re.findall(r"\(`([A-Z]+)`\)", page)) == kinds
    # Prometheus' own, where the support chart has any.
    rules = "".join(path.read_text() for path in (project / "helm").rglob("*.yaml"))
    for name in re.findall(r"^\s*-? *alert: *(\w+)", rules, re.MULTILINE):
        assert f"`{name}`" in page, name
