"""What a person writes, checked whole before anything is stored."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.instants import instant
from wigwag_proto.problems import Violation, escaped, unknown_name
from wigwag_proto.validate import Checked, check_flag_body, check_key, check_segment_body
from wigwag_server.admin.comments import COMMENT
from wigwag_server.problems import Problem

KILL_FIELDS = ("reason", "until", "dryRun")
SELECTING = ("keys", "tags", "pattern")
KILL_MANY_FIELDS = (*SELECTING, *KILL_FIELDS)
LONGEST_PATTERN = 128
# As many heartbeats may be late before a dead man's switch is tripped.
MISSED_BEATS = 3
MOST_KILLED = 1000
LATEST_MS = 253_402_300_800_000  # the end of the year 9999
LONGEST_REASON = 1000
LONGEST_REVISION = 15


@dataclass(frozen=True, slots=True)
class KillBody:
    """Why, and until when (Unix ms; None: until somebody revives it).

    `keys`, `tags` and `pattern` say what, for several flags.
    """

    reason: str = ""
    until: int | None = None
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pattern: str = ""
    dry_run: bool = False


def read_key(request: web.Request) -> str:
    """Return the key in the path. Raises Problem (422)."""
    key = request.match_info["name"]
    if (wrong := check_key(key)) is not None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{key[:80]!r} cannot be a key: {wrong}.")
    return key


def read_if_match(request: web.Request) -> int | None:
    """Return the revision that the caller's edit is based on, 0 for there being no such flag. Raises Problem (400)."""
    text = request.headers.get("If-Match", "*").strip()
    revision = text.removeprefix('"').removesuffix('"')
    if text != "*" and not (revision.isascii() and revision.isdecimal() and len(revision) <= LONGEST_REVISION):
        detail = "If-Match takes one ETag, which is the revision in quotes."
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    if request.headers.get("If-None-Match", "").strip() == "*":
        return 0
    return None if text == "*" else int(revision)


@dataclass(frozen=True, slots=True)
class FlagLimits:
    """What a flag of this server must keep to: bytes of JSON, and the least `failSafeAfter` in seconds."""

    bytes: int
    fail_safe_s: float


def read_flag_body(
    key: str, body: Mapping[str, Any], kill: Any, limits: FlagLimits, found: Sequence[Violation] = ()
) -> Checked:
    """Return the configuration in the body. `kill` is the one now in force. Raises Problem (422), also for `found`."""
    checked = check_flag_body(body, key=key, kill=kill, largest=limits.bytes, also=(COMMENT,))
    violations = [*found, *checked.violations]
    after = checked.config.get("failSafeAfter")
    if after is not None and after < limits.fail_safe_s:
        beat = f"{limits.fail_safe_s / MISSED_BEATS:g}"
        why = f"must be at least {limits.fail_safe_s:g} seconds: apps hear from the server every {beat} seconds"
        violations.append(Violation("/failSafeAfter", why))
    refuse("The flag was not written.", violations)
    return checked


def read_segment_body(
    key: str, body: Mapping[str, Any], segment_bytes: int, found: Sequence[Violation] = ()
) -> Checked:
    """Return the configuration in the body. Raises Problem (422), also for what was `found` before."""
    checked = check_segment_body(body, key=key, largest=segment_bytes, also=(COMMENT,))
    refuse("The segment was not written.", [*found, *checked.violations])
    return checked


def read_kill_body(body: dict[str, Any], found: list[Violation]) -> KillBody:
    """Return what a kill says; nothing is needed. Raises Problem (422), also for what was `found` before."""
    return _read_kill(body, KILL_FIELDS, found)


def read_kill_many_body(body: dict[str, Any], found: list[Violation]) -> KillBody:
    """Return what a kill of several flags says. Raises Problem (422), also for what was `found` before."""
    for field in ("keys", "tags"):
        value = body.get(field, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or len(value) > MOST_KILLED:
            found.append(Violation(f"/{field}", f"must be a list of at most {MOST_KILLED} strings"))
    pattern = body.get("pattern", "")
    if not isinstance(pattern, str) or len(pattern) > LONGEST_PATTERN:
        wanted = f"must be a shell pattern of at most {LONGEST_PATTERN} characters, such as pay.*"
        found.append(Violation("/pattern", wanted))
    if not any(body.get(field) for field in SELECTING):
        found.append(Violation("", "needs keys, tags or a pattern: what is to be killed?"))
    return _read_kill(body, KILL_MANY_FIELDS, found)


def read_revival_body(body: dict[str, Any], found: list[Violation]) -> tuple[tuple[str, ...], bool]:
    """Return which flags are to be revived, and whether it is a trial. Raises Problem (422), also for `found`."""
    keys = body.get("keys")
    if not isinstance(keys, list) or not all(isinstance(each, str) for each in keys) or len(keys) > MOST_KILLED:
        found.append(Violation("/keys", f"must be a list of at most {MOST_KILLED} strings"))
    elif not keys:
        found.append(Violation("/keys", "names no flag: what is to be revived?"))
    if not isinstance(body.get("dryRun", False), bool):
        found.append(Violation("/dryRun", "must be true or false"))
    known = ("keys", "dryRun", COMMENT)
    found += [
        Violation(f"/{escaped(field)}", unknown_name("field", field, known)) for field in body if field not in known
    ]
    refuse("Nothing was revived.", found)
    return tuple(dict.fromkeys(keys or ())), bool(body.get("dryRun", False))


def _read_kill(body: dict[str, Any], fields: tuple[str, ...], found: list[Violation]) -> KillBody:
    known = (*fields, COMMENT)
    found += [
        Violation(f"/{escaped(field)}", unknown_name("field", field, known)) for field in body if field not in known
    ]
    reason = body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        found.append(Violation("/reason", f"must be text of at most {LONGEST_REASON} characters"))
    if not isinstance(body.get("dryRun", False), bool):
        found.append(Violation("/dryRun", "must be true or false"))
    until = _read_until(body.get("until"), found)
    refuse("Nothing was killed.", found)
    return KillBody(
        str(reason),
        until,
        tuple(body.get("keys", ())),
        tuple(body.get("tags", ())),
        body.get("pattern", ""),
        dry_run=body.get("dryRun", False),
    )


def refuse(detail: str, violations: Sequence[Violation]) -> None:
    """Raise Problem (422) with everything that is wrong, if anything is."""
    if violations:
        found = [{"pointer": violation.pointer, "detail": violation.message} for violation in violations]
        many = "Every problem is" if len(found) > 1 else "The problem is"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{detail} {many} listed under errors.", violations=found)


def _read_until(value: Any, found: list[Violation]) -> int | None:
    """Take Unix milliseconds or an RFC 3339 date-time, in the future."""
    if value is None:
        return None
    is_ms = isinstance(value, int) and not isinstance(value, bool)
    until: int = value if is_ms else (instant(value) or 0) // 1_000_000
    if not time.time() * 1000 < until < LATEST_MS:
        found.append(Violation("/until", "must be a time to come: 2030-01-31T12:00:00Z, or Unix milliseconds"))
    return until
