"""What users of command lines expect of every verb, whatever it does."""

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.main import get_command

import pangeo_deploy.cli as cli_package
from pangeo_deploy.cli import app as command_line
from pangeo_deploy.cli import console
from pangeo_deploy.cli.app import app, run
from pangeo_deploy.cli.verbs import VERBS as VERB_TABLE
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


# What takes as long to import as the parser itself, or longer. `rich` draws results, not help.
HEAVY = (
    *(
        "boto3",
        "botocore",
        "dask",
        "distributed",
        "duckdb",
        "matplotlib",
        "moto",
        "numpy",
        "pandas",
    ),
    *(
        "pyarrow",
        "pydantic",
        "requests",
        "rich",
        "scipy",
        "sphinx",
        "statsmodels",
        "xarray",
        "yaml",
    ),
    *("dask_bench", "emulated_aws", "hub_costs", "hub_user", "local_hub", "proof_book"),
    *("_hashlib", "platformdirs", "tempfile"),  # together a fifth of a group's help
)
GROUPS = sorted({tuple(words[:1]) for words, _ in VERBS if len(words) > 1})


def test_no_help_loads_a_verbs_libraries() -> None:
    """What a verb needs is imported when it runs: help waits for none of it."""
    asked = [[], *map(list, GROUPS), *(words for words, _ in VERBS)]
    code = (
        "import sys\nfrom pangeo_deploy.cli.app import run\n"
        f"for words in {asked}:\n"
        "    assert run([*words, '--help']) == 0\n"
        f"    loaded = {set(HEAVY)} & set(sys.modules)\n"
        "    assert not loaded, (words, loaded)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: ") == len(asked)


def test_the_table_of_verbs_says_what_each_verb_says_itself() -> None:
    """Help shows the table; a verb's own help is its docstring: the two begin alike."""
    for name, (_, text) in VERB_TABLE.items():
        own = " ".join((get_command(app).commands[name].help or "").split())
        assert own.split()[0].strip(".,:;") == text.split()[0].strip(".,:;"), name


@pytest.mark.parametrize(("words", "verb"), VERBS, ids=[" ".join(words) for words, _ in VERBS])
def test_every_verb_has_the_same_default_target(words: list[str], verb: Any) -> None:
    defaults = {one.name: one.default for one in verb.params}
    assert defaults.get("target", DEFAULT_TARGET) == DEFAULT_TARGET


def test_the_default_target_is_named_in_one_place() -> None:
    """Arguments and fields have the constant for their default, not the target's name."""
    defaults = {
        f"{file.relative_to(PROJECT)}:{default.lineno}"
        for file in (PROJECT / "src/pangeo_deploy").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for default in _defaults(node)
        if isinstance(default, ast.Constant) and default.value == DEFAULT_TARGET
    }
    assert [line.split(":")[0] for line in defaults] == ["src/pangeo_deploy/deployment.py"], (
        defaults
    )


def _defaults(node: ast.AST) -> list[ast.expr | None]:
    if isinstance(node, ast.arguments):
        return [*node.defaults, *node.kw_defaults]
    return [node.value] if isinstance(node, ast.AnnAssign) else []


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


def is_a_number(option: Any) -> bool:
    """Tell whether an option takes numbers: by its type, or, where it is text, by its help."""
    kind = option.type_descriptor.annotation
    inner = {one for each in (kind, *get_args(kind)) for one in (each, *get_args(each))}
    amounts = re.search(r"USD|[Bb]udget|Terabytes|GiB", option.help or "")
    return bool({int, float} & inner or (str in inner and amounts))


NUMBERS = [
    (words, option)
    for words, verb in VERBS
    for option in verb.params
    if option.param_type_name == "option" and is_a_number(option)
]
NO_NUMBERS = ("nan", "-inf", "9" * 40)


def test_the_numbers_are_found() -> None:
    assert len(NUMBERS) > 35
    assert {"budget", "grid", "workers", "quota_gib"} <= {option.name for _, option in NUMBERS}


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize(
    ("words", "option"), NUMBERS, ids=[f"{' '.join(words)} {one.opts[0]}" for words, one in NUMBERS]
)
def test_every_number_refuses_what_is_none_and_what_nobody_has(
    words: list[str], option: Any, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = [value] * option.nargs
    # As one word, or a minus would be taken for another option.
    given = [f"{option.opts[0]}={value}"] if option.nargs == 1 else [option.opts[0], *values]
    assert run([*words, *given]) == 2
    assert option.opts[0] in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_budget_that_buys_nothing_is_refused(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["whatif", "--model", "class", f"--budget={value}"]) == 2
    assert "--budget" in capsys.readouterr().err


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


@pytest.mark.parametrize("words", [["plan", "staging"], ["cost", "gate", "staging"], ["reset"]])
def test_a_folder_that_is_gone_is_said(words: list[str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = f"mkdir {gone}; cd {gone}; rmdir {gone}; exec {shlex.join(command(*words, '--json'))}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "current folder was removed" in json.loads(done.stdout)["error"]["what"]


def test_an_interrupt_while_the_verbs_are_imported_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_others: object) -> None:
            if name == "pangeo_deploy.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delattr("pangeo_deploy.cli.app")
    monkeypatch.delitem(sys.modules, "pangeo_deploy.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        cli_package.main()
    assert end.value.code == 130
    assert "Interrupted" in capsys.readouterr().err


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
