"""A child process that ends in its own time: by an interrupt, not by our end.

Its output goes to files that nobody else sees, not through pipes: were we killed, a program that
writes to our pipe would be ended by SIGPIPE in the middle of what it does.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOOK_SECONDS = 0.02

FINISHING = "It finishes what it is doing and records it; interrupt twice more to end it at once."
AT_ONCE = "Two interrupts received"  # Terraform's words
LAST_WORD = "It still finishes what it is doing; one more interrupt ends it, and its state is lost."


@dataclass(frozen=True)
class Child:
    """A running child, and the files that its output and its errors go to."""

    process: subprocess.Popen[bytes]
    output: IO[str]
    errors: IO[str]

    def lines(self) -> Iterator[str]:
        """Yield what it prints, line by line, as it comes; return when it has ended."""
        rest = ""
        while True:
            ended = self._ended()
            rest += self.output.read()
            *lines, rest = rest.split("\n")
            yield from (f"{line}\n" for line in lines)
            if ended:
                break
        if rest:
            yield rest

    def _ended(self) -> bool:
        try:
            self.process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, say: Callable[[str], None]) -> bool:
        """Interrupt it once and wait for its end; return whether it ended in its own time.

        Only our third interrupt ends it: Terraform takes a second one for an order to end at once,
        whoever sends it.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        for words in (FINISHING, LAST_WORD):
            try:
                say(words)
                self.process.wait()
            except KeyboardInterrupt:
                continue
            return self.process.returncode >= 0 and AT_ONCE not in self.output.read()
        self.process.kill()
        self.process.wait()
        return False


@contextmanager
def started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], keep: Sequence[int] = ()
) -> Iterator[Child]:
    """Start a child that reads nothing; whatever happens inside, it has ended at the end.

    It is in a session of its own: the terminal's Ctrl-C reaches only us, and we pass it on once.
    `keep` are descriptors that it holds open as long as it lives.
    """
    with _file() as (output, written), _file() as (errors, wrong):
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=wrong,
            start_new_session=True,
            pass_fds=keep,
        )
        child = Child(process, output, errors)
        try:
            yield child
        finally:
            if process.poll() is None:
                child.stop(lambda _words: None)


@contextmanager
def _file() -> Iterator[tuple[IO[str], IO[bytes]]]:
    """Give a file to read from and the same to write to; it has no name any more."""
    descriptor, name = tempfile.mkstemp(prefix="pangeo-deploy-")
    with os.fdopen(descriptor, "wb", buffering=0) as writing:
        path = Path(name)
        with path.open(encoding="utf-8", errors="replace", newline="\n") as reading:
            path.unlink()
            yield reading, writing
