"""Flags written down by hand, as in a file: checked as strictly as what the server takes, flag by flag. Pure.

    flags:
      new_checkout: true                   # short for {enabled: true}
      button: {enabled: true, rolloutPercentage: 10}
    segments:
      staff: {include: [ann]}

What `GET /v1/snapshot` answers is such a document too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wigwag_proto.errors import Malformed
from wigwag_proto.flag import Flag, Kill, Segment
from wigwag_proto.problems import Violation, a, escaped, unknown_name
from wigwag_proto.references import check_references
from wigwag_proto.validate import check_flag_body, check_key, check_segment_body

TABLES = ("flags", "segments")
OF_SNAPSHOTS = ("environment", "cursor", "at", "emergencies")
BOOKKEEPING = ("createdAt", "updatedAt", "revision")


class MalformedFlags(Malformed):
    """Flags that were written by hand, and that the server would not take. The message lists all that is wrong."""


@dataclass(slots=True)
class Document:
    """The flags and segments that can be used, and what is wrong with the others."""

    flags: dict[str, Any] = field(default_factory=dict)
    segments: dict[str, Any] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    @property
    def problem(self) -> str:
        """All that is wrong, one a line; "" where nothing is."""
        return "\n".join(f"{each.pointer or '/'}: {each.message}" for each in self.violations)


def read_document(plain: Any, kill: Kill, before: Mapping[str, Any]) -> Document:
    """Read a whole document. `kill` is that of a flag that has `killSwitch: true` and was not killed `before`."""
    document = Document()
    if not isinstance(plain, Mapping):
        document.violations.append(Violation("", f"must be an object with 'flags', not {a(plain)}"))
        return document
    for name in plain:
        if name not in (*TABLES, *OF_SNAPSHOTS):
            document.violations.append(Violation(f"/{escaped(name)}", unknown_name("field", name, TABLES)))
    for name in TABLES:
        if not isinstance(plain.get(name, {}), Mapping):
            document.violations.append(Violation(f"/{name}", f"must be an object, not {a(plain[name])}"))
            return document
    emergencies, fresh = _emergencies(plain.get("emergencies")), msgspec.to_builtins(kill)
    for key, body in plain.get("segments", {}).items():
        _read_segment(document, key, body)
    for key, body in plain.get("flags", {}).items():
        switched = before.get(key, {}).get("kill") or fresh
        _read_flag(document, key, body, emergencies.get(key), switched)
    _check_references(document)
    return document


def _read_flag(document: Document, key: Any, body: Any, emergency: Any, switched: Any) -> None:
    at = f"/flags/{escaped(key)}"
    if isinstance(body, bool):
        body = {"enabled": body}
    wrong = check_key(key)
    if wrong is not None:
        document.violations.append(Violation(at, f"{wrong}{_yaml_hint(key)}"))
        return
    known = body.get("kill") if isinstance(body, Mapping) else None
    checked = check_flag_body(body, key=key, kill=known)
    violations = list(checked.violations)
    if known is not None:
        try:
            msgspec.convert(known, Kill)
        except msgspec.ValidationError as error:
            violations.append(Violation("/kill", f"{error}; write killSwitch: true to kill a flag here"))
    if violations:
        document.violations += [Violation(at + each.pointer, each.message) for each in violations]
        return
    killed = known or emergency or (switched if checked.kill else None)
    document.flags[key] = {**checked.config, **_bookkeeping(body), **({"kill": killed} if killed else {})}


def _read_segment(document: Document, key: Any, body: Any) -> None:
    at = f"/segments/{escaped(key)}"
    wrong = check_key(key)
    if wrong is not None:
        document.violations.append(Violation(at, f"{wrong}{_yaml_hint(key)}"))
        return
    checked = check_segment_body(body, key=key)
    if checked.violations:
        document.violations += [Violation(at + each.pointer, each.message) for each in checked.violations]
        return
    document.segments[key] = {**checked.config, **_bookkeeping(body)}


def _check_references(document: Document) -> None:
    """Check what flags refer to. Such a flag is used all the same: what is not there is off, or matches nobody."""
    flags = {key: msgspec.convert({**body, "key": key}, Flag) for key, body in document.flags.items()}
    segments = {key: msgspec.convert({**body, "key": key}, Segment) for key, body in document.segments.items()}
    for key in flags:
        found = check_references(key, flags, segments)
        document.violations += [Violation(f"/flags/{escaped(key)}{each.pointer}", each.message) for each in found]


def _bookkeeping(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in BOOKKEEPING if type(body.get(name)) is int}


def _emergencies(plain: Any) -> dict[str, Any]:
    """Return the kills of a snapshot that stand in no flag: to leave them out would revive."""
    found = {}
    for each in plain if isinstance(plain, list) else ():
        if isinstance(each, Mapping):
            kill = {name: each.get(name) for name in ("by", "reason", "at")}
            found.update(dict.fromkeys(each.get("keys", ()), kill))
    return found


def _yaml_hint(key: Any) -> str:
    return "" if isinstance(key, str) else "; to YAML, true, false and numbers are no text: quote them"
