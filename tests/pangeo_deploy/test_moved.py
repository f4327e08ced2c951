"""Notebooks and scripts of users hold import paths of the release before."""

import importlib

import pytest

from pangeo_deploy._moved import MOVED


@pytest.mark.parametrize("name", MOVED)
def test_an_old_path_names_the_new_place(name: str) -> None:
    with pytest.raises(ImportError, match=rf"pangeo_deploy\.{name} moved .* use \w+"):
        importlib.import_module(f"pangeo_deploy.{name}")
    with pytest.raises(ImportError, match=rf"pangeo_deploy\.{name} moved"):
        importlib.import_module(f"pangeo_deploy.{name}.deeper")
    with pytest.raises(ImportError, match=rf"pangeo_deploy\.{name} moved"):
        exec(f"from pangeo_deploy import {name}")
    new = MOVED[name].split(" ")[0].split(";")[0]
    importlib.import_module(new)


def test_a_name_that_never_was_is_missing_as_usual() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        importlib.import_module("pangeo_deploy.nothing")
