"""What of a plan may be read by everybody: reviews and comments of a public repository are public.

A plan holds what its reader is not to learn from us: account numbers, identifiers, addresses that
somebody changed by hand. A string is shown only where the repository's own Terraform files hold it,
which whoever reads the comment can read too; numbers, booleans and null are shown, the rest is
hidden. The rule is the same for a private repository, which may be opened one day.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pangeo_deploy.terraform.attributes import SENSITIVE, UNKNOWN

HIDDEN = "(hidden)"

_WORDS = re.compile(r'"([^"\n]*)"|([\w.:/*-]+)')
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # of an attribute, which every provider's schema tells
_INDEX = re.compile(r"(\[\d+\])+$")


def words_of(checkouts: Iterable[Path]) -> frozenset[str]:
    """Return the strings and words in the Terraform files of these checkouts."""
    texts = (
        file.read_text(errors="replace")
        for checkout in checkouts
        for suffix in ("tf", "tfvars")
        for file in (checkout / "terraform").rglob(f"*.{suffix}")
    )
    found = (match for text in texts for match in _WORDS.findall(text))
    return frozenset(word for match in found for word in match if word)


def public(document: Mapping[str, Any], words: frozenset[str]) -> dict[str, Any]:
    """Return a resource or an output of `Plan.as_dict` with nothing in it but public values."""
    shown = dict(document)
    shown["changes"] = [
        {
            **change,
            "attribute": _path(change["attribute"], words),
            "before": _value(change["before"], words),
            "after": _value(change["after"], words),
        }
        for change in document["changes"]
    ]
    if document.get("import_id"):
        shown["import_id"] = _value(document["import_id"], words)
    return shown


def _value(value: Any, words: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key if _is_name(key, words) else HIDDEN: _value(part, words)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_value(part, words) for part in value]
    if not isinstance(value, str) or value in ("", SENSITIVE, UNKNOWN):
        return value
    return value if value in words else HIDDEN


def _path(path: str, words: frozenset[str]) -> str:
    """Return the path of an attribute, cut before a key that nobody else tells."""
    parts = path.split(".") if path else []
    for number, part in enumerate(parts):
        if not _is_name(_INDEX.sub("", part), words):
            return ".".join([*parts[:number], HIDDEN])
    return path


def _is_name(key: str, words: frozenset[str]) -> bool:
    return key in words or bool(_NAME.fullmatch(key))
