"""What users of command lines expect of every verb, whatever it does."""

import ast
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.main import get_command

from pangeo_core.errors import BadInput
from pangeo_deploy.cli import app as command_line
from pangeo_deploy.cli import console
from pangeo_deploy.cli.app import app, run
from pangeo_deploy.cli.options import usd
from pangeo_deploy.deployment import DEFAULT_TARGET
from tests.conftest import PROJECT, command


def verbs(name: str = "", group: Any = None) -> Iterator[tuple[list[str], Any]]:
    """Yield every verb with its command."""
    group = group or get_command(app)
    for own, each in group.commands.items():
        path = f"{name} {own}".strip()
        if hasattr(each, "commands"):
            yield from verbs(path, each)
        else:
            yield path.split(), each


VERBS = list(verbs())


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pangeo-deploy 0.")


@pytest.mark.parametrize("words", [["-h"], ["plan", "-h"], ["cost", "-h"]])
def test_h_is_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    assert "Usage" in capsys.readouterr().out


def test_help_loads_no_verbs_libraries() -> None:
    """What a verb needs is imported when it runs: `--help` waits for none of it."""
    heavy = ("requests", "yaml", "numpy", "botocore", "hub_user", "hub_costs", "local_hub")
    code = f"import sys, pangeo_deploy.cli; print(*set({heavy}) & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize(("words", "verb"), VERBS, ids=[" ".join(words) for words, _ in VERBS])
def test_every_verb_has_the_same_default_target(words: list[str], verb: Any) -> None:
    defaults = {one.name: one.default for one in verb.params}
    assert defaults.get("target", DEFAULT_TARGET) == DEFAULT_TARGET


def test_an_option_that_verbs_share_is_declared_once() -> None:
    declared = Counter(
        (argument.arg, ast.unparse(argument.annotation))
        for file in (PROJECT / "src/pangeo_deploy/cli").rglob("*.py")
        for verb in ast.walk(ast.parse(file.read_text()))
        if isinstance(verb, ast.FunctionDef)
        for argument in verb.args.args
        if argument.annotation and "Annotated[" in ast.unparse(argument.annotation)
    )
    assert len(declared) > 50
    assert [name for (name, _), times in declared.items() if times > 1] == []


def test_every_option_that_is_a_number_refuses_one_that_is_none() -> None:
    numbers = [
        (" ".join(words), option)
        for words, verb in VERBS
        for option in verb.params
        if float in (kind := option.type_descriptor.annotation, *get_args(kind))
    ]
    assert len(numbers) > 8
    assert [(verb, one.name) for verb, one in numbers if one.callback is None] == []


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_named(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["usage", "report", "--sessions", "x.csv", f"--quota-gib={value}"]
    assert run(words) == 2
    assert "--quota-gib" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-inf", "ten"])
def test_no_amount_is_a_number_that_is_none(text: str) -> None:
    with pytest.raises(BadInput, match="--budget"):
        usd("--budget", text)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["plan", "--json"], "Missing argument 'ENVIRONMENT'"),
        (["plan", "staging", "--nope", "--json"], "No such option: --nope"),
        (["plan", "staging", "--target", "azure", "--json"], "'azure'"),
        (["nothing", "--json"], "nothing"),
        (["plan", "nowhere", "--json"], "no environment 'nowhere'"),
    ],
)
def test_every_misuse_is_json_where_asked_for(
    words: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert what in error["what"]
    assert error["fix"]


def test_a_bug_and_an_interrupt_are_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(error: BaseException) -> None:
        def raising(*_arguments: object, **_options: object) -> None:
            raise error

        monkeypatch.setattr(command_line, "app", raising)

    fail(ValueError("oh"))
    assert run(["plan", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["why"] == "ValueError: oh"
    fail(KeyboardInterrupt())
    assert run(["plan", "--json"]) == 130
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["what"] == "Interrupted."
    assert "Interrupted." in shown.err


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": "ü"})
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert document == {"a": None, "b": [None, 1.5], "c": "ü"}


def test_a_table_in_a_pipe_keeps_ids_whole(capsys: pytest.CaptureFixture[str]) -> None:
    arn = f"arn:aws:ecr:us-west-2:123456789012:repository/{'long/' * 40}name"
    sheet = console.table(
        "Left", ("type", "id", "cost (USD)"), [("ecr", arn, "0.00"), ("vpc", "v\n1", 2)]
    )
    console.show({}, False, [sheet])
    title, head, first, second = capsys.readouterr().out.splitlines()
    assert title == "Left"
    assert head.split() == ["type", "id", "cost", "(USD)"]
    assert first.split() == ["ecr", arn, "0.00"]
    assert second.split() == ["vpc", "v", "1", "2"]


def ran(redirection: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `doctor --json` in a shell, with its output redirected."""
    words = " ".join(f"'{word}'" for word in command("doctor", "--json"))
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} {redirection}"],
        cwd=PROJECT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("redirection", "code", "words"),
    [
        ("| true", (0, 141), ""),
        ("> /dev/full", (2,), "No space left"),
        (">&-", (0, 2), ""),
    ],
)
def test_an_output_that_nobody_takes_is_no_traceback(
    redirection: str, code: tuple[int, ...], words: str
) -> None:
    done = ran(redirection)
    assert done.returncode in code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_an_encoding_lacks_is_escaped() -> None:
    done = ran("", PYTHONIOENCODING="ascii", PANGEO_DEPLOY_STATE="/tmp/ö")
    assert "Traceback" not in done.stderr
    assert "ö" in json.dumps(json.loads(done.stdout), ensure_ascii=False)


def test_an_interrupt_outside_terraform_is_said(tmp_path: Path) -> None:
    with subprocess.Popen(
        command("hub", "up", "staging"), cwd=PROJECT, text=True,
        env={**os.environ, "PANGEO_DEPLOY_STATE": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        while child.poll() is None and not (tmp_path / "rehearsal/staging/hub").exists():
            pass
        child.send_signal(signal.SIGINT)
        _out, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "Interrupted" in err
