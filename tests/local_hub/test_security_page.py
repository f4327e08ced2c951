"""The page on security promises what tests try."""

import re

from tests.conftest import PROJECT


def test_every_row_of_the_security_page_names_a_test_that_exists() -> None:
    rows = [
        line
        for line in (PROJECT / "book" / "security.md").read_text().splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| what they try"))
    ]
    assert len(rows) > 15
    defined = "".join(file.read_text() for file in PROJECT.glob("tests/**/test_*.py"))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert [name for name in named if f"def {name}(" not in defined] == [], row
