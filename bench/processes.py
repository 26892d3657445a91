"""What a server has used: it and the processes that it started, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path


def pids_under(pid: int) -> list[int]:
    """Return a process and those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in pids_under(int(child)))]


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor time in seconds: of the program itself, and of the kernel on its behalf."""

    own_s: float = 0.0
    kernel_s: float = 0.0

    def __add__(self, other: "Cpu") -> "Cpu":
        """Return the sum."""
        return Cpu(self.own_s + other.own_s, self.kernel_s + other.kernel_s)

    def __sub__(self, other: "Cpu") -> "Cpu":
        """Return the difference."""
        return Cpu(self.own_s - other.own_s, self.kernel_s - other.kernel_s)


def cpu(pid: int) -> Cpu:
    """Return the processor time that a server has used so far, with the processes that it started."""
    per_s = os.sysconf("SC_CLK_TCK")
    used = Cpu()
    for each in pids_under(pid):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        used += Cpu(int(fields[11]) / per_s, int(fields[12]) / per_s)
    return used


def cpu_s(pid: int) -> float:
    """Return both together."""
    used = cpu(pid)
    return used.own_s + used.kernel_s


def memory_kib(pid: int) -> int:
    """Return the memory of a server (its share of what it has in common with others included), without the kernel's."""
    total = 0
    for each in pids_under(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total
