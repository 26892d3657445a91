"""What an import and a promotion ask for, checked whole. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.flag import Archived
from wigwag_proto.problems import Problems, Violation, escaped, unknown_name
from wigwag_proto.snapshot import Tables
from wigwag_proto.validate import Checked, check_flag_body, check_key, check_segment_body
from wigwag_server.admin.bodies import LATEST_MS, LONGEST_REASON, refuse
from wigwag_server.admin.configuration import MOST_VIOLATIONS, Wanted

MODES = ("merge", "replace")
IMPORT_FIELDS = ("flags", "segments", "mode", "dryRun", "comment")
PROMOTE_FIELDS = ("from", "flags", "withSegments", "dryRun", "comment")
LONGEST_COMMENT = 1000
LONGEST_NAME = 128
MOST_NAMED = 10_000


class FlagLimits(msgspec.Struct, frozen=True):
    """What a flag must keep to: the most bytes of JSON, and the least `failSafeAfter` in seconds."""

    bytes: int
    fail_safe_s: float


class ImportBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be imported."""

    wanted: Wanted
    dry_run: bool = False
    comment: str = ""


class PromoteBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be promoted: keys of flags, or shell patterns for them."""

    source: str
    flags: tuple[str, ...]
    with_segments: bool = False
    dry_run: bool = False
    comment: str = ""


def read_import_body(body: dict[str, Any], records: Tables, limits: FlagLimits) -> ImportBody:
    """Return what is to be imported. `records` are what is there now. Raises Problem (422)."""
    problems = Problems()
    problems.is_object("", body, IMPORT_FIELDS)
    mode = body.get("mode", "merge")
    if mode not in MODES:
        problems.add("/mode", unknown_name("mode", mode, MODES))
    _check_common(problems, body)
    if "flags" not in body and "segments" not in body:
        problems.add("", "needs flags or segments: what is to be imported?")
    wanted: dict[str, dict[str, Any]] = {}
    for kind in ("flag", "segment"):
        section = body.get(f"{kind}s")
        if section is None and f"{kind}s" not in body:
            continue
        wanted[kind] = {}
        if not isinstance(section, Mapping):
            problems.add(f"/{kind}s", "must be an object: each key with its configuration")
            continue
        for key, each in section.items():
            if len(problems.found) >= MOST_VIOLATIONS:
                break
            if (wrong := check_key(key)) is not None:
                problems.add(f"/{kind}s/{escaped(key)}", wrong)
            elif kind == "segment":
                checked = check_segment_body(each, key=key, largest=limits.bytes)
                wanted[kind][key] = _taken(problems, f"/segments/{escaped(key)}", checked)
            else:
                wanted[kind][key] = _read_flag(problems, key, each, records.get("flag", {}).get(key), limits)
    refuse("Nothing was imported.", problems.found)
    whole = frozenset(wanted) if mode == "replace" else frozenset[str]()
    return ImportBody(wanted=Wanted(wanted, whole), dry_run=body.get("dryRun", False), comment=body.get("comment", ""))


def read_promote_body(body: dict[str, Any]) -> PromoteBody:
    """Return what is to be promoted. Raises Problem (422)."""
    problems = Problems()
    problems.is_object("", body, PROMOTE_FIELDS, required=("from", "flags"))
    _check_common(problems, body)
    problems.is_boolean("/withSegments", body.get("withSegments", False))
    problems.is_text("/from", body.get("from", "-"), 128, shortest=1)
    flags = body.get("flags", [])
    if problems.is_list("/flags", flags):
        if len(flags) > MOST_NAMED:
            problems.add("/flags", f"has {len(flags)} entries; at most {MOST_NAMED:,} fit")
        elif not flags and "flags" in body:
            problems.add("/flags", "names nothing; ['*'] is every flag")
        else:
            for index, each in enumerate(flags):
                problems.is_text(f"/flags/{index}", each, 128, shortest=1)
    refuse("Nothing was promoted.", problems.found)
    return PromoteBody(
        source=body["from"],
        flags=tuple(flags),
        with_segments=body.get("withSegments", False),
        dry_run=body.get("dryRun", False),
        comment=body.get("comment", ""),
    )


def _check_common(problems: Problems, body: Mapping[str, Any]) -> None:
    problems.is_boolean("/dryRun", body.get("dryRun", False))
    problems.is_text("/comment", body.get("comment", ""), LONGEST_COMMENT)


def _read_flag(problems: Problems, key: str, body: Any, present: Any, limits: FlagLimits) -> dict[str, Any]:
    """Check a flag. `present` is the one that is there: a kill in the body must be the one in force."""
    at = f"/flags/{escaped(key)}"
    kill = present.get("kill") if isinstance(present, Mapping) else None
    checked = check_flag_body(body, key=key, kill=kill, largest=limits.bytes)
    if checked.kill:
        problems.add(f"{at}/killSwitch", "cannot be imported: the kill layer stays as it is; POST /admin/kill kills")
    after = checked.config.get("failSafeAfter")
    if after is not None and after < limits.fail_safe_s:
        least = f"must be at least {limits.fail_safe_s:g} seconds, three heartbeats of this server"
        problems.add(f"{at}/failSafeAfter", least)
    config = _taken(problems, at, checked)
    if isinstance(body, Mapping) and "archived" in body:
        config = {**config, "archived": _read_archived(problems, f"{at}/archived", body["archived"])}
    return config


def _read_archived(problems: Problems, at: str, value: Any) -> Any:
    """Check who has archived a flag, when and why, as an export has it; null for one that is not archived."""
    if value is None:
        return None
    try:
        archived = msgspec.to_builtins(msgspec.convert(value, Archived))
    except msgspec.ValidationError as error:
        problems.add(at, f'must be null, or {{"by": …, "reason": …, "at": <Unix ms>}}: {error}')
        return None
    problems.is_text(f"{at}/by", archived["by"], LONGEST_NAME)
    problems.is_text(f"{at}/reason", archived["reason"], LONGEST_REASON)
    if not 0 <= archived["at"] < LATEST_MS:
        problems.add(f"{at}/at", "must be a time in Unix milliseconds")
    return archived


def _taken(problems: Problems, at: str, checked: Checked) -> dict[str, Any]:
    problems.found += [Violation(f"{at}{each.pointer}", each.message) for each in checked.violations]
    return checked.config
