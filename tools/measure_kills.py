"""Kill commands at random moments, with every signal and every victim, and see what is lost.

    python tools/measure_kills.py [--kills N] [--seed S]

Applies and destroys a small project over and over, in a state folder of its own. Each command is
stopped at a random moment: our process, Terraform, or both, by SIGINT, SIGTERM, SIGHUP or SIGKILL.
The command after it has to go on from there; whenever one finishes, the account must hold exactly
what the state says. Prints one line a kill, and at the end how many were lost.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from tests.pangeo_deploy.terraform.small import RESOURCES, small_project  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
VICTIMS = ("command", "terraform", "both")
PROGRAM = (sys.executable, "-c", "from pangeo_deploy.cli import main; main()")


def command(project: Path, state: Path, *words: str) -> "subprocess.Popen[str]":
    """Start a command in a terminal-less session of its own."""
    return subprocess.Popen(
        [*PROGRAM, *words],
        cwd=project,
        env={**os.environ, "PANGEO_DEPLOY_STATE": str(state)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(project: Path, state: Path, *words: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it says."""
    child = command(project, state, *words)
    _, said = child.communicate()
    return child.returncode, said


def family(child: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return the command's children."""
    try:
        found: list[psutil.Process] = psutil.Process(child.pid).children(recursive=True)
    except psutil.Error:
        return []
    return found


def killed(project: Path, state: Path, verb: str, chance: random.Random) -> str:
    """Run a verb, stop it at a random moment, wait for its family; return what was done."""
    child = command(project, state, verb, "staging")
    assert child.stderr
    events = chance.randrange(RESOURCES)
    for line in child.stderr:
        if line.startswith(("✓", "\N{CHECK MARK}")):
            events -= 1
        if events < 0:
            break
    time.sleep(chance.random() * 0.3)
    victim, number = chance.choice(VICTIMS), chance.choice(SIGNALS)
    members = family(child)
    if child.poll() is not None:
        return "had ended before"
    for process in members if victim != "command" else ():
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
    if victim != "terraform":
        child.send_signal(number)
    child.stderr.close()
    child.wait()
    psutil.wait_procs(members, timeout=120)
    return f"{number.name} to {victim}"


def kills(project: Path, state: Path, number: int, seed: int) -> Iterator[tuple[str, bool, str]]:
    """Yield each kill: what was done, whether the next command could go on, what it said."""
    chance = random.Random(seed)  # noqa: S311
    for count in range(number):
        verb = ("apply", "destroy")[count // 3 % 2]
        if verb == "apply":
            code, said = finished(project, state, "plan", "staging")
            if code:
                yield "plan", False, said
                return
        what = killed(project, state, verb, chance)
        if count % 3 == 2:  # let it finish now, and look
            for words in (("plan", "staging"), ("apply", "staging"))[: 2 if verb == "apply" else 0]:
                code, said = finished(project, state, *words)
                if code:
                    yield f"{verb}, {what}; then {words[0]}", False, said
                    return
            if verb == "destroy":
                code, said = finished(project, state, "destroy", "staging", "--json")
            else:
                code, said = finished(project, state, "plan", "staging", "--detailed-exitcode")
            yield f"{verb}, {what}", code == 0, said if code else ""
            if code:
                return
        else:
            yield f"{verb}, {what}", True, ""


def main() -> None:
    """Kill and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    done = lost = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        project = small_project(Path(folder) / "project")
        for what, ok, said in kills(
            project, Path(folder) / "state", arguments.kills, arguments.seed
        ):
            done += 1
            lost += not ok
            print(f"{done}: {what}: {'ok' if ok else 'LOST'} {said[-600:]}", flush=True)
    print(f"{done} kills, {lost} lost")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
