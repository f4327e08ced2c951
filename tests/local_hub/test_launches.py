"""The rule for repositories that may be launched, as hub and BinderHub both apply it."""

import runpy
from typing import Any

import pytest

from tests.conftest import PROJECT

RULES = runpy.run_path(str(PROJECT / "helm" / "files" / "launches.py"))
BINDER = {"allowed": [], "banned": [".*(xmrig|miner).*"], "git_protocols": ["https"]}


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/a/miner",
        "https://GitHub.com/A/Miner",
        "https://github.com/a/miner/",
        "https://github.com/a/miner.git",
        "https://github.com:443/a//miner",
        "https://user:secret@github.com/a/./miner",
        "https://www.github.com/a/miner?x=1#y",
        "https%3A%2F%2Fgithub.com%2Fa%2Fminer",
        "https://github.com/a/%256diner",
        "https://github.com/b/../a/miner",
        "github.com/a/miner",
    ],
)
def test_every_spelling_of_a_repository_is_one_name(address: str) -> None:
    assert RULES["repository_name"](address) == "github.com/a/miner"
    assert "disabled" in RULES["repository_refusal"](address, BINDER)


@pytest.mark.parametrize(
    ("address", "changed", "why"),
    [
        ("https://github.com/a/b", {}, ""),
        ("http://github.com/a/b", {}, "Only https"),
        ("file:///etc", {}, "Only https"),
        ("file%3A///etc", {}, "Only https"),
        ("https://[broken", {}, "not on this hub's list"),
        ("", {}, "not on this hub's list"),
        ("https:///a/b", {}, "not on this hub's list"),
        ("https://github.com/a/b", {"allowed": ["github\\.com/a/.*"]}, ""),
        ("https://github.com/A/B.git", {"allowed": ["github\\.com/a/.*"]}, ""),
        ("https://github.com/c/a", {"allowed": ["github\\.com/a/.*"]}, "not on this hub's list"),
        ("https://evil.org/github.com/a/b", {"allowed": ["github\\.com/a/.*"]}, "not on"),
        ("https://github.com/a/miner", {"allowed": ["github\\.com/a/.*"]}, "disabled"),
    ],
)
def test_the_allowed_list_stands_before_the_banned_one(
    address: str, changed: dict[str, Any], why: str
) -> None:
    refusal = RULES["repository_refusal"](address, {**BINDER, **changed})
    assert refusal.startswith(why) or why in refusal
    assert bool(refusal) == bool(why)
