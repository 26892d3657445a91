"""What is wrong with something that a person wrote: every problem, with the path to it and what to do."""

import difflib
import math
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

DEEPEST_JSON = 32
MOST_LISTED = 30
JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (Mapping, "an object"),
)


class Violation(msgspec.Struct, frozen=True):
    """One problem. `pointer` is a JSON Pointer (RFC 6901) into the body; the message says what to do."""

    pointer: str
    message: str


class Problems:
    """Collects violations while a body is walked. Each check returns whether the value can be used further."""

    def __init__(self) -> None:
        self.found: list[Violation] = []

    def add(self, pointer: str, message: str) -> bool:
        """Note a problem. Returns False, so that a check can end with it."""
        self.found.append(Violation(pointer, message))
        return False

    def is_object(self, pointer: str, value: Any, fields: Collection[str], required: Collection[str] = ()) -> bool:
        """Check for an object with these fields and no others."""
        if not isinstance(value, Mapping):
            return self.add(pointer, f"must be an object, not {a(value)}")
        for name in value:
            if name not in fields:
                self.add(f"{pointer}/{escaped(name)}", unknown_name("field", name, fields))
        for name in required:
            if name not in value:
                self.add(pointer, f"needs the field {name!r}")
        return True

    def is_list(self, pointer: str, value: Any) -> bool:
        """Check for a list."""
        return isinstance(value, list) or self.add(pointer, f"must be a list, not {a(value)}")

    def is_boolean(self, pointer: str, value: Any) -> bool:
        """Check for true or false."""
        return isinstance(value, bool) or self.add(pointer, f"must be true or false, not {a(value)}")

    def is_text(self, pointer: str, value: Any, longest: int, shortest: int = 0) -> bool:
        """Check for a string of this many characters."""
        if not isinstance(value, str):
            return self.add(pointer, f"must be a string, not {a(value)}")
        if len(value) < shortest:
            return self.add(pointer, "must not be empty")
        return len(value) <= longest or self.add(pointer, f"has {len(value):,} characters; at most {longest:,} fit")

    def is_number(self, pointer: str, value: Any) -> bool:
        """Check for a finite number; true and false are none."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.add(pointer, f"must be a number, not {a(value)}")
        return is_portable(value) or self.add(pointer, "must be finite, and an integer must fit 64 bits")

    def is_json(self, pointer: str, value: Any, depth: int = 0) -> bool:
        """Check for any JSON, no deeper than 32 levels."""
        if depth > DEEPEST_JSON:
            return self.add(pointer, f"is nested more than {DEEPEST_JSON} levels deep; flatten it")
        if isinstance(value, Mapping):
            return every([self.is_json(f"{pointer}/{escaped(key)}", value[key], depth + 1) for key in value])
        if isinstance(value, list):
            return every([self.is_json(f"{pointer}/{index}", item, depth + 1) for index, item in enumerate(value)])
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.is_number(pointer, value)
        return value is None or isinstance(value, (str, bool)) or self.add(pointer, f"{a(value)} is no JSON value")

    def are_unique(self, pointer: str, values: list[Any], field: str = "") -> None:
        """Check that no text stands in a list twice; with `field`, no such field of its objects."""
        first: dict[str, int] = {}
        for index, value in enumerate(values):
            text = value.get(field) if field and isinstance(value, Mapping) else value
            if not isinstance(text, str):
                continue
            if text in first:
                at = f"{pointer}/{index}/{field}".rstrip("/")
                self.add(at, f"{shown(text)} stands at {first[text]} already; remove one of the two")
            else:
                first[text] = index


def is_portable(value: float) -> bool:
    """Return whether JSON can carry a number from one language to another: finite, and at most 64 bits."""
    return -(2**63) <= value < 2**64 if isinstance(value, int) else math.isfinite(value)


def every(results: list[bool]) -> bool:
    """Return whether all are true. Takes a list: each check must run, also after one that failed."""
    return all(results)


def unknown_name(what: str, name: object, known: Collection[str]) -> str:
    """Say that a name is not known, and which known one was probably meant."""
    near = difflib.get_close_matches(name[:128], known, n=1, cutoff=0.5) if isinstance(name, str) else []
    hint = f"did you mean {near[0]!r}?" if near else _what_is_known(known)
    return f"unknown {what} {shown(name)}; {hint}"


def _what_is_known(known: Collection[str]) -> str:
    """List them, up to a number that a person reads: of flags there may be thousands."""
    if not known:
        return "there is none"
    listed = ", ".join(sorted(known)[:MOST_LISTED])
    more = len(known) - MOST_LISTED
    return f"known are {listed}" + (f" and {more:,} more" if more > 0 else "")


def a(value: Any) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "null"
    names = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a string"),
        (list, "a list"),
        (Mapping, "an object"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)


def shown(value: object) -> str:
    """Return a value as a message can carry it: quoted, and cut short."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def escaped(name: object) -> str:
    """Return a name as a part of a JSON Pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")
