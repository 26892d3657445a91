"""Whether a whole file of configuration would be accepted, without asking a server. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.flag import Flag, Segment
from wigwag_proto.problems import Problems, Violation, a, escaped
from wigwag_proto.references import check_references
from wigwag_proto.validate import Checked, check_flag_body, check_key, check_segment_body

Plain = Mapping[str, Any]

SECTIONS = ("flags", "segments")


def check_document(document: Plain, *, alone: bool) -> list[Violation]:
    """Return everything that is wrong in a file of flags and segments.

    `alone` says that the file is all there is: what it refers to must then be in it.
    """
    problems = Problems()
    problems.is_object("", document, SECTIONS)
    if not any(section in document for section in SECTIONS):
        problems.add("", "needs flags or segments")
    flags = _checked(problems, document, "flags")
    segments = _checked(problems, document, "segments")
    if problems.found or not alone:
        return problems.found
    return _broken_references(flags, segments)


def _checked(problems: Problems, document: Plain, section: str) -> dict[str, Plain]:
    """Return the configurations of a section, and note what is wrong with them."""
    found: dict[str, Plain] = {}
    records = document.get(section, {})
    if not isinstance(records, Mapping):
        problems.add(f"/{section}", f"must be an object, each key with its configuration, not {a(records)}")
        return found
    for key, body in records.items():
        at = f"/{section}/{escaped(key)}"
        if (wrong := check_key(key)) is not None:
            problems.add(at, wrong)
            continue
        checked = _check(section, key, body)
        if checked.kill:
            problems.add(f"{at}/killSwitch", f"cannot be imported: 'wigwag kill {key}' kills")
        problems.found += [Violation(at + each.pointer, each.message) for each in checked.violations]
        found[key] = checked.config
    return found


def _check(section: str, key: str, body: Any) -> Checked:
    return check_flag_body(body, key=key) if section == "flags" else check_segment_body(body, key=key)


def _broken_references(flags: Mapping[str, Plain], segments: Mapping[str, Plain]) -> list[Violation]:
    read = {key: msgspec.convert({**body, "key": key}, Flag) for key, body in flags.items()}
    known = {key: msgspec.convert({**body, "key": key}, Segment) for key, body in segments.items()}
    return [
        Violation(f"/flags/{escaped(key)}{each.pointer}", each.message)
        for key in read
        for each in check_references(key, read, known)
    ]
