"""Files are written whole, and a digest sees every change and nothing else."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pangeo_core.files import digest, write_whole

WRITER = """
import sys; from pathlib import Path; from pangeo_core.files import write_whole
print("ready", flush=True)
while True:
    for letter in b"ab":
        write_whole(Path(sys.argv[1]), bytes([letter]) * 2_000_000)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, file], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout
            child.stdout.readline()
            time.sleep(0.05)
            child.send_signal(signal.SIGKILL)
        if file.exists():
            content = file.read_bytes()
            assert content in (b"a" * 2_000_000, b"b" * 2_000_000)
    assert file.exists()


def test_a_failed_write_keeps_the_old_file_and_no_rest(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_whole(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "\udcff")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert file.read_text() == "old"


def test_mode_is_set(tmp_path: Path) -> None:
    write_whole(tmp_path / "secret", "x", mode=0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_digest_sees_names_and_content_but_not_order_or_clock(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    first = digest(tmp_path, [one, two])
    os.utime(one, (0, 0))
    assert digest(tmp_path, [two, one, one]) == first
    two.write_text("3")
    assert digest(tmp_path, [one, two]) != first
    two.write_text("2")
    two.rename(tmp_path / "three")
    assert digest(tmp_path, [one, tmp_path / "three"]) != first


def test_a_file_too_large_for_the_disk_is_named(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match="large") as caught:
            write_whole(tmp_path / "big", b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, old)
    assert caught.value.filename == str(tmp_path / "big")
    assert not list(tmp_path.iterdir())
