"""The demo's processes: a wigwag-server and the shop, on free ports and in a folder of their own."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 10.0
STOP_S = 10.0
CHECKOUT = Path(__file__).parents[2]


class DemoFailed(Exception):
    """Something did not come about that the demo is there to show."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, with an admin token and an SDK key."""

    url: str
    admin_token: str
    server_key: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo takes place. `store` is None for a temporary one."""

    server: Server
    shop_url: str
    store: str | None


@contextmanager
def server_child(folder: Path, store: str | None) -> Iterator[Server]:
    """Run a `wigwag-server --dev`. Raises DemoFailed when it does not start."""
    options = ["--dev", "--listen", "127.0.0.1:0", "--store", _absolute(store or f"sqlite:{folder}/wigwag.db")]
    dev_file = folder / ".wigwag" / "dev.json"
    with _child("server", ["-m", "wigwag_server", *options], folder, {}) as process:
        _wait(process, "server", dev_file.exists)
        dev = json.loads(dev_file.read_bytes())
        yield Server(dev["url"], dev["adminToken"], dev["serverKey"])


@contextmanager
def shop_child(folder: Path, server: Server) -> Iterator[str]:
    """Run the shop and give its URL. Raises DemoFailed when it does not start."""
    # The last known snapshot goes into the demo's folder too: nothing is left behind.
    environ = {"WIGWAG_URL": server.url, "WIGWAG_KEY": server.server_key, "XDG_CACHE_HOME": str(folder)}
    with _child("shop", ["-m", "examples.shop", "--port", "0"], folder, environ) as process:
        found: list[str] = []

        def listening() -> bool:
            found[:] = re.findall(r"http://[\d.]+:\d+", (folder / "shop.log").read_text())
            return bool(found)

        _wait(process, "shop", listening)
        yield found[0]


@contextmanager
def _child(name: str, words: list[str], folder: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which stops them in order
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except BaseException:  # also when Ctrl-C comes again
            process.kill()
            process.wait()
            raise


def _wait(process: subprocess.Popen[bytes], name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None:
            raise DemoFailed(f"the {name} ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise DemoFailed(f"the {name} was not ready within {START_S:.0f} s; can it reach its store?")
        time.sleep(0.02)


def _absolute(store: str) -> str:
    """Name a given SQLite file from the folder of the person who named it."""
    scheme, colon, path = store.partition(":")
    return f"{scheme}{colon}{Path(path).absolute()}" if scheme == "sqlite" else store
