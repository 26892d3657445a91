"""Real processes of wigwag, for tests that look at it from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.secrets import SHOWN, secrets_in

PATIENCE_S = 20.0
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A `wigwag-server --dev` in a folder of its own, whose `.wigwag/dev.json` names it."""

    url: str
    admin_token: str
    server_key: str
    client_key: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def output(self) -> str:
        """What it has written."""
        return (self.folder / "server.log").read_text()


@contextmanager
def server_process(folder: Path, *, store: str | None = None, listen: str = "127.0.0.1:0") -> Iterator[ServerProcess]:
    """Run a server from when it takes requests until the context is left."""
    dev_file = folder / ".wigwag" / "dev.json"
    dev_file.unlink(missing_ok=True)
    words = ["--dev", "--listen", listen, "--store", store or "sqlite:wigwag.db"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "wigwag_server", *words], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not dev_file.exists():
            ended = process.poll() is not None or time.monotonic() > deadline
            assert not ended, f"the server did not start:\n{(folder / 'server.log').read_text()}"
            time.sleep(0.02)
        dev = json.loads(dev_file.read_bytes())
        yield ServerProcess(dev["url"], dev["adminToken"], dev["serverKey"], dev["clientKey"], folder, process)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    found = secrets_in(SHOWN.sub("", (folder / "server.log").read_text(errors="replace")))
    assert not found, f"the server has written a secret: {found}"


def run_command(
    *words: str, folder: Path, environ: Mapping[str, str] | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run an installed command, such as `wigwag`, to its end. There is no terminal; `typed` is its standard input."""
    return subprocess.run(
        [BIN / words[0], *words[1:]],
        cwd=folder,
        env={**os.environ, **(environ or {})},
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def running_command(*words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run an installed command beside the test; at the end of the context it is stopped, if it still runs."""
    process = subprocess.Popen(
        [BIN / words[0], *words[1:]], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
