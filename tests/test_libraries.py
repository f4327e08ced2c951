"""Each library alone: in an environment with only its own dependencies, without the others' code.

The environment is real: exact versions from requirements.lock, found from the names in NEEDS by
what the lock says needs what. The sources on its path are the library's and pangeo_core's alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tools import lock

from proof_book.identity.code_graph import packages, source_folder
from tests.conftest import PROJECT

PACKAGES = packages(source_folder())
# What each library needs of others' packages; what these need is found in the lock.
NEEDS = {
    "hub_costs": ("duckdb", "numba", "numpy", "pandas", "psutil", "pyarrow", "pydantic", "pyyaml"),
    "dask_bench": (
        *("dask", "distributed", "flox", "h5netcdf", "h5py", "msgpack", "numpy", "pandas"),
        *("psutil", "pyarrow", "scipy", "xarray", "zarr"),
    ),
}
USED = {
    "hub_costs": """
from pathlib import Path
from hub_costs.allocation.allocate import allocate
from hub_costs.bills import sample_bill, sample_forms
from hub_costs.bills.ingest import ingest
from hub_costs.months import Month

month = sample_bill.sample(Month(2024, 6), users=3, seed=1)
sample_forms.cur_parquet(month.lines + month.splits, Path("cur.parquet"))
month.sessions.to_csv("sessions.csv", index=False)
rows = allocate(ingest([Path("cur.parquet")], Path("bill")).table, Path("sessions.csv"))
print("allocated", len(rows.by("owner")) > 3)
""",
    "dask_bench": """
from distributed import Client, LocalCluster
from dask_bench import catalogue

if __name__ == "__main__":
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            print("computed", client.submit(sum, [1, 2]).result() == 3)
""",
}


@pytest.mark.parametrize("library", NEEDS)
def test_a_library_works_without_the_others(library: str, tmp_path: Path) -> None:
    sources = tmp_path / "src"
    for name in (library, "pangeo_core"):
        shutil.copytree(PACKAGES[name], sources / name)
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
    script.write_text(USED[library])
    done = subprocess.run(
        [str(python), str(script)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(sources), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("True")
