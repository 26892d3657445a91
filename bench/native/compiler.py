"""Compiles the C programs."""

import asyncio
import os
import shutil
from pathlib import Path

from bench.propagation_load import BenchFailed

SOURCES = Path(__file__).parent


async def compiled(name: str, folder: Path) -> Path:
    """Compile `<name>.c` into the folder, unless it is there already. Raises BenchFailed."""
    program = folder / name
    if program.exists():
        return program
    compiler = shutil.which(os.environ.get("CC") or "cc") or shutil.which("gcc")
    if compiler is None:
        raise BenchFailed("there is no C compiler: install gcc or clang, or name one in CC")
    process = await asyncio.create_subprocess_exec(
        *(compiler, "-O2", "-o", str(program), str(SOURCES / f"{name}.c")), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise BenchFailed(f"{compiler} cannot compile {name}.c: {errors.decode().strip()[:500]}")
    return program
