"""A SQLite file, looked at as a store. It is only read, also where a server runs on it. Blocks on the disk."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from wigwag_proto.findings import Finding, ok, wrong
from wigwag_server.check.machine import folder
from wigwag_server.store.sqlite import FORMAT

LARGEST_READ = 512 * 1024 * 1024


def check_sqlite(path: Path) -> Iterator[Finding]:
    """Look at the file, the lock beside it, and the folder around it."""
    yield from folder(path.parent, "store")
    if not path.exists():
        yield ok("store", f"{path} is made at the first start")
        return
    if not os.access(path, os.R_OK | os.W_OK):
        mend = "Give the file, and those beside it that begin with its name, to the user that the server runs as."
        yield wrong("store", f"{path} may not be read and written by this user", mend)
        return
    yield _content(path)
    if _in_use(path.with_name(f"{path.name}.lock")):
        yield ok("store lock", "a server runs on it; another one could not start, since it takes one server")


def _content(path: Path) -> Finding:
    mend = "Stop the server, keep a copy of the file, and put a backup in its place, or begin with an empty one."
    try:
        database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=2.0)
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            wanted = path.stat().st_size <= LARGEST_READ
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone() if wanted else ("ok",)
        finally:
            database.close()
    except sqlite3.Error as error:
        return wrong("store", f"{path} cannot be read: {error}", mend)
    if version > FORMAT:
        newer = "Start the release of wigwag that has written it, or a later one."
        return wrong("store", f"{path} was written by a later release (format {version})", newer)
    if found != "ok":
        return wrong("store", f"{path} is damaged: {found}", mend)
    size = path.stat().st_size / 2**20
    return ok(
        "store", f"{path} is whole, {size:.1f} MiB" if wanted else f"{path}, {size:.0f} MiB, was not read through"
    )


def _in_use(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
