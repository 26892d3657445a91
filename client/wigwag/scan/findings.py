"""What is wrong with the uses of flags in code, held against the flags that there are. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from wigwag.scan.reference import Reference
from wigwag_proto.problems import unknown_name

# Two flags can be thought through together (four cases); with a third nobody has tried them all.
DEEPEST = 2
TOKEN = "token"  # noqa: S105 - how a key stands in a language that is not parsed


class Fault(StrEnum):
    """What is wrong with a use."""

    UNKNOWN = "unknown"
    ARCHIVED = "archived"
    STALE = "stale"
    NESTED = "nested"


class Level(StrEnum):
    """How bad it is; the words are those of GitHub's annotations."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A use of a flag that somebody should look at."""

    file: str
    line: int
    column: int
    flag: str
    fault: Fault
    level: Level
    message: str


def nested(references: Iterable[Reference]) -> Iterator[Finding]:
    """Yield the uses that stand below too many other flags."""
    for each in references:
        if each.depth > DEEPEST:
            above = ", ".join(each.within)
            message = f"{each.depth} flags decide about this: it stands below {above}; nobody tries all their cases"
            yield _finding(each, Fault.NESTED, Level.WARNING, message)


def faults(references: Iterable[Reference], states: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the uses of flags that are not there, archived or stale. `states` are those of all flags, by key.

    A key that stands as a word in a file of another language may be any word: it is only warned of.
    """
    for each in references:
        if each.flag is None:
            continue
        level = Level.WARNING if each.call == TOKEN else Level.ERROR
        state = states.get(each.flag)
        if state is None and each.call != TOKEN:
            message = f"there is no such flag: {unknown_name('flag', each.flag, states)}"
            yield _finding(each, Fault.UNKNOWN, level, message)
        elif state == Fault.ARCHIVED:
            message = (
                f"'{each.flag}' is archived: take it out of the code, or bring it back: wigwag restore {each.flag}"
            )
            yield _finding(each, Fault.ARCHIVED, level, message)
        elif state == Fault.STALE:
            message = f"'{each.flag}' is stale: take it out of the code. Why it is: wigwag stale"
            yield _finding(each, Fault.STALE, level, message)


def _finding(reference: Reference, fault: Fault, level: Level, message: str) -> Finding:
    return Finding(
        file=reference.file,
        line=reference.line,
        column=reference.column,
        flag=reference.flag or "",
        fault=fault,
        level=level,
        message=message,
    )
