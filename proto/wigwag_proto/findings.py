"""What a check found, in plain words: what is so, and how to mend it where it is wrong. Pure."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from textwrap import wrap
from typing import Any

import msgspec

WIDTH = 100
INDENT = 11


class Grade(StrEnum):
    """How good it is. A warning works today, and hurts some day; only what is wrong fails a check."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `mend` says what to do, and is empty where all is well."""

    check: str
    grade: Grade
    what: str
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    """Say that something is well."""
    return Finding(check, Grade.OK, what)


def warning(check: str, what: str, mend: str) -> Finding:
    """Say that something may hurt some day."""
    return Finding(check, Grade.WARNING, what, mend)


def wrong(check: str, what: str, mend: str) -> Finding:
    """Say that something does not work."""
    return Finding(check, Grade.WRONG, what, mend)


def failed(findings: Iterable[Finding]) -> bool:
    """Say whether something is wrong."""
    return any(each.grade is Grade.WRONG for each in findings)


def as_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings for people: one paragraph each, and a last line that sums them up."""
    lines: list[str] = []
    for each in findings:
        first, *more = wrap(f"{each.check}: {_printable(each.what)}", WIDTH - INDENT) or [each.check]
        lines.append(f"{each.grade:<{INDENT}}{first}")
        lines += [" " * INDENT + line for line in more]
        lines += [" " * INDENT + line for line in wrap(_printable(each.mend), WIDTH - INDENT, initial_indent="→ ")]
    return [*lines, "", summary(findings)]


def summary(findings: Sequence[Finding]) -> str:
    """Return in a line how it looks."""
    bad = sum(each.grade is Grade.WRONG for each in findings)
    doubtful = sum(each.grade is Grade.WARNING for each in findings)
    if not bad and not doubtful:
        return f"All well: {len(findings)} checks."
    return f"{len(findings)} checks: {bad} wrong, {doubtful} doubtful."


def as_plain(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings for programs."""
    return {"ok": not failed(findings), "findings": msgspec.to_builtins(findings)}


def _printable(text: str) -> str:
    """Return text, some of which other machines wrote, without what could steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
