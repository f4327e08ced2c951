"""Save the hub's database beside the homes, and bring the last copy back where there is none.

    hub_backup.py save|restore DATABASE FOLDER

The chart runs `save` every night and before a hub is put to sleep, and `restore` each time before
the hub starts; the rehearsal calls the same functions. Standard library only.
"""

import shutil
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

KEPT = 7  # copies, the newest
COPIES = "hub-*.sqlite"


def save(database, folder):
    """Copy the database, whole or not at all, while the hub runs; return the copy."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "new.sqlite"
    draft.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(draft)) as target,
    ):
        source.backup(target)
        (verdict,) = target.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise SystemExit(f"The copy of {database} is damaged: {verdict}")
    copy = folder / f"hub-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.sqlite"
    draft.replace(copy)
    for old in sorted(folder.glob(COPIES))[:-KEPT]:
        old.unlink()
    return copy


def restore(database, folder):
    """Bring the newest copy back if there is no database; return it, None for nothing to do."""
    copies = sorted(folder.glob(COPIES))
    if database.exists() or not copies:
        return None
    draft = database.with_suffix(".new")
    shutil.copyfile(copies[-1], draft)
    draft.replace(database)
    return copies[-1]


if __name__ == "__main__":
    done = {"save": save, "restore": restore}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    sys.stdout.write(f"{sys.argv[1]}: {done or 'nothing to do'}\n")
