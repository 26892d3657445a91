"""What a server has used: it and the processes that it started, read from /proc."""

import os
from pathlib import Path


def pids_under(pid: int) -> list[int]:
    """Return a process and those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in pids_under(int(child)))]


def cpu_s(pid: int) -> float:
    """Return the processor time that a server has used so far, with the processes that it started."""
    ticks = 0
    for each in pids_under(pid):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_kib(pid: int) -> int:
    """Return the memory of a server (its share of what it has in common with others included), without the kernel's."""
    total = 0
    for each in pids_under(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total
