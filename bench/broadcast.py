"""The floors and the peers that stand beside wigwag-server, by their names in the tables."""

import shutil
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path

from bench.broadcast_piped import running_piped
from bench.events import Broadcaster
from bench.nchan import NCHAN, running_nchan

NEEDS = {"aiohttp-sse": ("aiohttp_sse",), "starlette, uvicorn": ("starlette", "uvicorn", "httptools")}
NEEDS["sse-starlette, uvicorn"] = (*NEEDS["starlette, uvicorn"], "sse_starlette")
TRIED = ("raw uvloop, os.write", "raw uvloop, gc off", "raw uvloop, queue and task")
FLOORS = ("bare C", "raw uvloop")
PEERS = ("nginx, nchan", "aiohttp write", "starlette, uvicorn", "aiohttp-sse", "sse-starlette, uvicorn")


def running(name: str, folder: Path, event: bytes) -> AbstractAsyncContextManager[Broadcaster]:
    """Run a floor or a peer until the context is left."""
    if name == "nginx, nchan":
        return running_nchan(folder, event)
    return running_piped(name, folder, event)


def why_not(name: str) -> str:
    """Say what keeps a server from being measured here; nothing if it can be."""
    if name == "nginx, nchan":
        return "" if shutil.which("nginx") and NCHAN.exists() else "install nginx and libnginx-mod-nchan"
    missing = [module for module in NEEDS.get(name, ()) if find_spec(module) is None]
    return f"not installed: {', '.join(missing)} (dependency group bench)" if missing else ""
