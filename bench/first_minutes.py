"""The first minutes of somebody who has nothing: install, start a server, paste a program, flip a flag, and see it.

    python -m bench.first_minutes [--json]

It does what docs/quickstart.md says, in a fresh virtual environment, from the wheel of this checkout: two commands, the
program that the server prints, then `wigwag set` and `wigwag kill`, each until the program has said what it sees. What
was typed and printed is kept for that page. A person's typing is not in the times. It needs a package index.
"""

import argparse
import asyncio
import os
import re
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path
from typing import Any

from bench.fresh import Fresh, build_wheel, make_fresh
from bench.harness import report, show, table
from bench.propagation_load import BenchFailed
from bench.session import Advance, run

PATIENCE_S = 30.0
# What the page shows in place of what is different each time.
SECRET = re.compile(r"\b(ww_[a-z]+_|token=|/ui/login/)[\w-]+")
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
PROGRAM = re.compile(r"^import asyncio\n.*^asyncio\.run\(main\(\)\)\n", re.MULTILINE | re.DOTALL)


class Typed:
    """A program that was started by typing its name, and what it has printed so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.printed = ""

    async def until(self, said: str) -> str:
        """Read on until a line with `said` has come, and return all that was printed. Raises BenchFailed."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while said not in self.printed:
                    line = await self.process.stdout.readline()
                    if not line:
                        raise BenchFailed(f"it ended without {said!r}:\n{self.printed}")
                    self.printed += line.decode()
        except TimeoutError:
            raise BenchFailed(f"it has not printed {said!r}:\n{self.printed}") from None
        return self.printed

    async def end(self) -> str:
        """Wait for its end and return what it has printed. Raises BenchFailed."""
        async with asyncio.timeout(PATIENCE_S):
            out, _ = await self.process.communicate()
        if self.process.returncode != 0:
            raise BenchFailed(f"it ended with {self.process.returncode}:\n{out.decode()}")
        return out.decode()

    async def stop(self) -> None:
        """Have it end, as Ctrl-C would."""
        if self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()


class Desk:
    """Somebody's folder and terminals."""

    def __init__(self, fresh: Fresh, folder: Path) -> None:
        self.fresh = fresh
        self.folder = folder
        path = f"{fresh.bin}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WIGWAG_")}
        self.environ = {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", "HOME": str(folder)}

    async def type(self, *words: str) -> Typed:
        """Start a command of the environment."""
        process = await asyncio.create_subprocess_exec(
            self.fresh.bin / words[0], *words[1:], cwd=self.folder, env=self.environ, stdout=PIPE, stderr=STDOUT
        )
        return Typed(process)


async def measure(folder: Path, advance: Advance) -> dict[str, Any]:
    """Do it all, and note how long each step took. Raises BenchFailed."""
    advance("steps", 0, 5)
    wheel = build_wheel(folder)
    fresh = make_fresh(folder / "environment")
    desk = Desk(fresh, folder / "shop")
    desk.folder.mkdir()
    began = time.monotonic()
    fresh.pip("install", "--quiet", f"{wheel}[server]")
    took = {"install": time.monotonic() - began}
    advance("steps", 1, 5)
    steps, transcript = await _flip_and_see(desk)
    advance("steps", 5, 5)
    shown = ADDRESS.sub("127.0.0.1:8420", SECRET.sub(r"\1…", transcript))
    return report("first_minutes", steps={**took, **steps}, transcript=shown)


async def _flip_and_see(desk: Desk) -> tuple[dict[str, float], str]:
    steps: dict[str, float] = {}
    began = time.monotonic()

    def lap(name: str) -> None:
        nonlocal began
        steps[name], began = time.monotonic() - began, time.monotonic()

    # Port 0, since somebody else may have 8420 here.
    server = await desk.type("wigwag-server", "--dev", "--listen", "127.0.0.1:0")
    try:
        banner = await server.until("wigwag kill new_checkout")
        lap("server ready")
        program = PROGRAM.search(banner)
        if program is None:
            raise BenchFailed(f"the server shows no program:\n{banner}")
        (desk.folder / "watch.py").write_text(program[0], encoding="utf-8")
        watch = await desk.type("python", "watch.py")
        try:
            await watch.until("new_checkout is False")
            lap("program sees the flags")
            said = await (await desk.type("wigwag", "set", "new_checkout", "--on")).end()
            await watch.until("-> True")
            lap("flip seen")
            killed = await (await desk.type("wigwag", "kill", "new_checkout", "--reason", "payments fail")).end()
            await watch.until("killed new_checkout -> False")
            lap("kill seen")
        finally:
            await watch.stop()
    finally:
        await server.stop()
    seen = watch.printed.splitlines(keepends=True)
    transcript = [
        '$ pip install "wigwag[server]"\n$ wigwag-server --dev\n',
        banner[banner.index("\nwigwag-server (dev)") + 1 :].partition("\nPaste this")[0],
        "\n$ python watch.py\n",
        seen[0],
        "\n$ wigwag set new_checkout --on\n",
        said,
        "\n  … and in the terminal of watch.py:\n",
        seen[1],
        '\n$ wigwag kill new_checkout --reason "payments fail"\n',
        killed,
        "\n  … and in the terminal of watch.py:\n",
        seen[2],
    ]
    return steps, "".join(transcript)


def tables(result: Any) -> list[Any]:
    """Return the result as a table."""
    rows = [(name, f"{took:.1f}") for name, took in result["steps"].items()]
    return [table("The first minutes, without typing", ("", "s"), rows)]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_minutes", description="Install, start, flip, see.")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    result = run("bench.first_minutes", measure)
    show(result, as_json=given.json, tables=[] if given.json else tables(result))


if __name__ == "__main__":
    main()
