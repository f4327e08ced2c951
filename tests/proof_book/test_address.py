"""The repository's public address is written in `_config.yml`; elsewhere it must be the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ANY = re.compile(r"https://github\.com/[\w-]*/ncar-pangeo-binder-terraform-deploy", re.IGNORECASE)


@pytest.fixture(scope="module")
def address(project: Path) -> str:
    return str(yaml.safe_load((project / "_config.yml").read_text())["repository"]["url"])


def test_the_package_names_it(project: Path, address: str) -> None:
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["urls"] == {
        "Source": address
    }


def test_the_citation_names_it(project: Path, address: str) -> None:
    citation = yaml.safe_load((project / "CITATION.cff").read_text())
    assert citation["repository-code"] == address


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_no_page_names_another(project: Path, address: str, file: str) -> None:
    assert set(ANY.findall((project / file).read_text())) <= {address}
