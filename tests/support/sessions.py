"""What a program that was started in a session of its own has left running."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def started_module(module: str, *words: str, temporary: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a module of this repository in a session of its own; at the end nothing of the session is left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *words),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for left in session_of(process.pid):
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        await process.wait()


def session_of(leader: int) -> list[int]:
    """Return the processes of the session that `leader` began: itself, and whatever it started that still runs."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()):
        with suppress(ProcessLookupError):
            if os.getsid(pid) == leader and not _is_zombie(pid):
                found.append(pid)
    return found


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
