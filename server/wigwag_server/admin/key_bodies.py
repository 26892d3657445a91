"""What a person asks of a key, checked whole, and held against what that person may do. Pure."""

import re
import time
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from wigwag_proto.problems import Problems, unknown_name
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.times import LENGTH, POINT, point_ms, span_ms
from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.auth.rights import RIGHTS, Role, Scope
from wigwag_server.environments import PRODUCTION
from wigwag_server.problems import Problem

COMMON = ("kind", "name", "expiresAt", "expiresIn", "comment")
FIELDS: Mapping[KeyKind, tuple[str, ...]] = {
    KeyKind.SERVER: (*COMMON, "environment"),
    KeyKind.CLIENT: (*COMMON, "environment"),
    KeyKind.HOOK: (*COMMON, "environment", "flags"),
    KeyKind.RELAY: (*COMMON, "environments"),
    KeyKind.ADMIN: (*COMMON, "role", "environments", "flags", "tags"),
}
# The kinds that do not belong to one environment.
NOT_OF_ONE = (KeyKind.ADMIN, KeyKind.RELAY)
ROTATE_FIELDS = ("overlap", "expiresAt", "expiresIn", "comment")
ALL_FIELDS = tuple(dict.fromkeys(field for fields in FIELDS.values() for field in fields))
PATTERN = re.compile(r"[A-Za-z0-9._*?\[\]!-]{1,128}", re.ASCII)
MAX_NAME = 128
MOST_LISTED = 100
LONGEST_COMMENT = 1000
LONGEST_OVERLAP_MS = 90 * 86_400_000
DEFAULT_OVERLAP_MS = 86_400_000


class KeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is asked for."""

    kind: KeyKind
    name: str
    environment: str | None = None
    role: Role = Role.ADMIN
    scope: Scope = Scope()
    flags: tuple[str, ...] = ()
    expires_at: int | None = None
    comment: str = ""


class RotateBody(msgspec.Struct, frozen=True):
    """How long the old key goes on (ms), when the new one runs out (None: as the old one did), and why."""

    overlap_ms: int = DEFAULT_OVERLAP_MS
    expires_at: int | None = None
    comment: str = ""


def read_key_body(body: dict[str, Any], environments: Collection[str]) -> KeyBody:
    """Return what is asked for. Raises Problem (422) with everything that is wrong in it."""
    problems = Problems()
    kind = body.get("kind")
    if not isinstance(kind, str) or kind not in tuple(KeyKind):
        problems.add("/kind", f"must be one of {', '.join(KeyKind)}")
        kind = None
    problems.is_object("", body, FIELDS[KeyKind(kind)] if kind else ALL_FIELDS)
    name, comment = _text(problems, body, "name", MAX_NAME), _text(problems, body, "comment", LONGEST_COMMENT)
    expires_at = _expiry(problems, body)
    lists = {field: _names(problems, body, field) for field in ("environments", "flags", "tags")}
    for index, each in enumerate(lists["environments"]):
        if each not in environments:
            problems.add(f"/environments/{index}", unknown_name("environment", each, environments))
    environment = body.get("environment", PRODUCTION)
    if kind == KeyKind.RELAY and not lists["environments"] and not problems.found:
        problems.add("/environments", "needs the environments that the relay serves")
    if kind not in NOT_OF_ONE and (not isinstance(environment, str) or environment not in environments):
        problems.add("/environment", unknown_name("environment", environment, environments))
    if kind == KeyKind.HOOK and not lists["flags"] and not problems.found:
        problems.add("/flags", "needs the flags that it may kill: keys, or shell patterns such as pay.*")
    for index, each in enumerate(lists["flags"]):
        if not PATTERN.fullmatch(each):
            problems.add(f"/flags/{index}", "must be the key of a flag, or a shell pattern such as pay.*")
    role = body.get("role")
    if kind == KeyKind.ADMIN and (not isinstance(role, str) or role not in tuple(Role)):
        problems.add("/role", f"must be one of {', '.join(Role)}")
    refuse("The key was not made.", problems.found)
    kind = KeyKind(body["kind"])
    if kind is KeyKind.ADMIN:
        return KeyBody(
            kind=kind,
            name=name or kind.value,
            role=Role(str(role)),
            scope=Scope(**lists),
            expires_at=expires_at,
            comment=comment,
        )
    if kind is KeyKind.RELAY:
        scope = Scope(environments=lists["environments"])
        return KeyBody(kind=kind, name=name or kind.value, scope=scope, expires_at=expires_at, comment=comment)
    return KeyBody(
        kind=kind,
        name=name or kind.value,
        environment=environment,
        flags=lists["flags"],
        expires_at=expires_at,
        comment=comment,
    )


def read_rotate_body(body: dict[str, Any]) -> RotateBody:
    """Return how a key is to be rotated; nothing is needed. Raises Problem (422)."""
    problems = Problems()
    problems.is_object("", body, ROTATE_FIELDS)
    overlap = span_ms(body.get("overlap", "24h"))
    if overlap is None or overlap > LONGEST_OVERLAP_MS:
        problems.add("/overlap", f"must be {LENGTH}, and at most 90d; 0s ends the old key at once")
    expires_at, comment = _expiry(problems, body), _text(problems, body, "comment", LONGEST_COMMENT)
    refuse("The key was not rotated.", problems.found)
    return RotateBody(overlap or 0, expires_at, comment)


def check_grant(caller: Key, wanted: Key) -> None:
    """Raise Problem (403) where somebody asks for more than they have themselves."""
    if not covers(caller, wanted):
        raise Problem(HTTPStatus.FORBIDDEN, "This token is limited, and this key would reach, or reaches, beyond that.")
    outlives = wanted.expires_at is None or wanted.expires_at > (caller.expires_at or wanted.expires_at)
    if wanted.kind is KeyKind.ADMIN and caller.expires_at is not None and outlives:
        raise Problem(HTTPStatus.FORBIDDEN, "This token runs out, and the new one would outlive it. Give an expiresAt.")


def covers(caller: Key, key: Key) -> bool:
    """Say whether what a key may do is part of what the caller may do: then the caller may also end it."""
    if key.kind is KeyKind.ADMIN:
        return RIGHTS[key.role] <= RIGHTS[caller.role] and caller.scope.contains(key.scope)
    if key.kind is KeyKind.RELAY:
        return all(caller.scope.covers_environment(each) for each in key.scope.environments)
    if key.environment is None or not caller.scope.covers_environment(key.environment):
        return False
    return key.kind is not KeyKind.HOOK or all(caller.scope.covers_pattern(each) for each in key.flags)


def _text(problems: Problems, body: Mapping[str, Any], field: str, longest: int) -> str:
    text = body.get(field, "")
    if not isinstance(text, str) or len(text) > longest or not text.isprintable():
        problems.add(f"/{field}", f"must be printable text of at most {longest} characters")
        return ""
    return text


def _names(problems: Problems, body: Mapping[str, Any], field: str) -> tuple[str, ...]:
    names = body.get(field, [])
    if not problems.is_list(f"/{field}", names):
        return ()
    if len(names) > MOST_LISTED:
        problems.add(f"/{field}", f"has {len(names)} entries; at most {MOST_LISTED} fit")
        return ()
    good = [problems.is_text(f"/{field}/{index}", name, MAX_NAME, shortest=1) for index, name in enumerate(names)]
    return tuple(names) if all(good) else ()


def _expiry(problems: Problems, body: Mapping[str, Any]) -> int | None:
    at, length = body.get("expiresAt"), body.get("expiresIn")
    if at is not None and length is not None:
        problems.add("/expiresIn", "cannot stand beside expiresAt; leave one of them out")
    now = round(time.time() * 1000)
    if at is not None:
        found = point_ms(at)
        if found is None or found <= now:
            problems.add("/expiresAt", f"must be {POINT}")
        return found
    if length is not None:
        span = span_ms(length)
        if not span:
            problems.add("/expiresIn", f"must be {LENGTH}")
        return now + (span or 0)
    return None
