"""What the machine gives a server: open files, connections that wait, an address, a disk that is quick and stays."""

import errno
import os
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from wigwag_proto.disk_io import write_atomically
from wigwag_proto.findings import Finding, ok, warning, wrong
from wigwag_server.settings import Listen

# What a server has open besides its streams: the store, the disk, requests under way.
OTHER_FILES = 200
BACKLOG = 4096
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
MOUNTS = Path("/proc/self/mounts")
SLOW_SYNC_MS = 100.0
LEAST_FREE_BYTES = 256 * 1024 * 1024
FULL_BYTES = 32 * 1024 * 1024
# File systems that are gone with the machine, or with the container, and why.
FLEETING = {"tmpfs": "in memory", "ramfs": "in memory", "overlay": "inside the container"}


def open_files(streams: int) -> Finding:
    """Compare the limit of this process, which a server started the same way has as well, with what is expected."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= streams + OTHER_FILES:
        return ok("open files", f"{_number(soft)} may be open, enough for {streams:,} streams")
    mend = (
        f"Raise it to {streams + OTHER_FILES} or more: LimitNOFILE= of a systemd unit, --ulimit nofile of a container, "
        f"ulimit -n in a shell (up to {_number(hard)} without further rights)."
    )
    most = max(0, soft - OTHER_FILES)
    return wrong("open files", f"{soft:,} may be open, so about {most:,} streams, and {streams:,} are expected", mend)


def waiting_connections(streams: int) -> Iterator[Finding]:
    """Look how many connections the kernel lets wait, when all clients come back in the same moment."""
    try:
        most = int(SOMAXCONN.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    wanted = min(BACKLOG, streams)
    if most < wanted:
        mend = f"sysctl -w net.core.somaxconn={BACKLOG}, and in /etc/sysctl.d; in a container, for that container."
        yield warning("connections", f"only {most} may wait, and {streams:,} may come back at once", mend)
    else:
        yield ok("connections", f"{most:,} may wait to be accepted")


def address(listen: Listen, *, serves_there: bool) -> Finding:
    """Say whether a server could listen there; `serves_there` tells that one does already."""
    where = f"{listen.host}:{listen.port}"
    try:
        family, *_, found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and serves_there:
            return ok("address", f"a wigwag-server listens on {where}")
        mends = {
            errno.EADDRINUSE: "Stop what listens there, or give another port by --listen.",
            errno.EACCES: "Ports below 1024 need rights of their own: take one above, behind a proxy.",
            errno.EADDRNOTAVAIL: "That address is none of this machine's: give one that is by --listen, or :PORT.",
        }
        mend = mends.get(error.errno or 0, "Give an address of this machine by --listen, such as :8420.")
        return wrong("address", f"nothing can listen on {where}: {error.strerror or error}", mend)
    return ok("address", f"{where} is free")


def folder(path: Path, check: str) -> Iterator[Finding]:
    """Look whether a folder (or the one where it would be made) can be written to, how fast, and whether it stays."""
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    trial = there / f".wigwag-check-{os.getpid()}"
    begun = time.perf_counter()
    try:
        write_atomically(trial, b"wigwag-server check\n")
        took_ms = (time.perf_counter() - begun) * 1000
        trial.unlink()
        free = shutil.disk_usage(there).free
    except OSError as error:
        mend = "Give the folder to the user that the server runs as, or name another one; it must not be read-only."
        yield wrong(f"{check} folder", f"{path} cannot be written to: {error.strerror or error}", mend)
        return
    if free < LEAST_FREE_BYTES:
        grade = wrong if free < FULL_BYTES else warning
        yield grade(f"{check} disk", f"{free // 2**20} MiB are left at {path}", "Make room: nothing can be kept.")
    if took_ms > SLOW_SYNC_MS:
        mend = "Each change is on this disk before it is acknowledged: use a local one, not one over the network."
        yield warning(f"{check} folder", f"{path} takes {took_ms:.0f} ms to have something on the disk", mend)
    else:
        yield ok(f"{check} folder", f"{path} can be written to; {took_ms:.1f} ms until it is on the disk")
    kind = _file_system(there)
    if kind in FLEETING:
        mend = "Mount a volume there. What a server keeps on disk is what it serves when it starts without its store."
        yield warning(f"{check} disk", f"{path} is {FLEETING[kind]} ({kind}), and gone after a restart", mend)


def _file_system(path: Path) -> str:
    """Return the type of the file system that a path is on; empty where the system does not tell."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    place = path.resolve()
    mounted = {Path(fields[1]): fields[2] for line in lines if len(fields := line.split()) > 2}
    return next((mounted[each] for each in (place, *place.parents) if each in mounted), "")


def _number(limit: int) -> str:
    return "any number" if limit == resource.RLIM_INFINITY else f"{limit:,}"
