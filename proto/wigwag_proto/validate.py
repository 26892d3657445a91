"""Strict checks of what a person writes, before anything is stored. All problems are told, not just the first.

A body holds configuration fields. Two more are understood:

* `"killSwitch": true` means "kill it too"; `false` says nothing and never revives.
* What the server fills in (`key`, `createdAt`, `updatedAt`, `revision`, and `kill`) may stand in a body and is left out
  of the result, because people get a flag, edit it, and send it back. But a `key` must be the flag's own, and a
  `kill` that is not the one in force is refused: ignoring it would look like a kill that succeeded.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.flag import FlagKind
from wigwag_proto.problems import Problems, Violation, a, shown, unknown_name
from wigwag_proto.rule_checks import check_rules

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
LARGEST_FLAG = 256 * 1024
LONGEST_ID = 10_240
LONGEST_NAME = 128
LONGEST_DESCRIPTION = 10_000
LONGEST_LIFE_DAYS = 3650
MOST_TAGS = 100

SERVER_FIELDS = ("key", "kill", "archived", "createdAt", "updatedAt", "revision")
ARM_FIELDS = ("rules", "rolloutPercentage", "variants")
FLAG_FIELDS = (
    "enabled",
    "whitelist",
    "blacklist",
    *ARM_FIELDS,
    "overrides",
    "bucketBy",
    "requires",
    "failSafeAfter",
    "clientVisible",
    "kind",
    "expectedLifeDays",
    "description",
    "owner",
    "tags",
)
SEGMENT_FIELDS = ("include", "exclude", "rules", "description")


class Checked(msgspec.Struct, frozen=True):
    """A body after the check: the configuration in it as plain JSON, and whether it kills too.

    With violations, `config` is empty.
    """

    config: dict[str, Any] = {}
    kill: bool = False
    violations: tuple[Violation, ...] = ()


def check_flag_body(
    body: Any,
    *,
    key: str | None = None,
    kill: Mapping[str, Any] | None = None,
    largest: int = LARGEST_FLAG,
    also: tuple[str, ...] = (),
) -> Checked:
    """Check the body of a write of a flag.

    `key` is the key in the URL; without one the body must name it. `kill` is the plain kill now in force.
    `largest` is in bytes of JSON. `also` are fields that the caller checks. Fields that are not there are not added,
    so this also serves partial bodies.
    """
    problems = Problems()
    if problems.is_object("", body, (*FLAG_FIELDS, "killSwitch", *SERVER_FIELDS, *also)):
        _check_key(problems, body, key)
        _check_kill(problems, body, kill)
        _check_plain_fields(problems, body)
        _check_arm(problems, "", body)
        _check_ids(problems, body, "whitelist", "blacklist")
        _check_overrides(problems, body.get("overrides", []))
        _check_requires(problems, body.get("requires", []))
        _check_size(problems, body, largest)
    return _checked(problems, body, FLAG_FIELDS)


def check_segment_body(
    body: Any, *, key: str | None = None, largest: int = LARGEST_FLAG, also: tuple[str, ...] = ()
) -> Checked:
    """Check the body of a write of a segment; as `check_flag_body`, where a segment has the same."""
    problems = Problems()
    fields = (*SEGMENT_FIELDS, "key", "createdAt", "updatedAt", "revision")
    if problems.is_object("", body, (*fields, *also)):
        _check_key(problems, body, key)
        _check_ids(problems, body, "include", "exclude")
        check_rules(problems, "/rules", body.get("rules", []), in_segment=True)
        problems.is_text("/description", body.get("description", ""), LONGEST_DESCRIPTION)
        _check_size(problems, body, largest)
    return _checked(problems, body, SEGMENT_FIELDS)


def check_key(key: Any) -> str | None:
    """Return what is wrong with a key, or None."""
    if isinstance(key, str) and KEY.fullmatch(key):
        return None
    return f"a key has 1–128 of A-Z a-z 0-9 . _ - and begins with a letter or digit; {shown(key)} does not"


def _checked(problems: Problems, body: Any, fields: tuple[str, ...]) -> Checked:
    if problems.found:
        return Checked(violations=tuple(problems.found))
    return Checked({name: body[name] for name in fields if name in body}, body.get("killSwitch") is True)


def _check_key(problems: Problems, body: Mapping[str, Any], key: str | None) -> None:
    if "key" not in body:
        if key is None:
            problems.add("", "needs the field 'key'")
        return
    wrong = check_key(body["key"])
    if wrong is not None:
        problems.add("/key", wrong)
    elif key is not None and body["key"] != key:
        problems.add("/key", f"is {body['key']!r} but the URL says {key!r}; keys do not change, create another one")


def _check_kill(problems: Problems, body: Mapping[str, Any], kill: Mapping[str, Any] | None) -> None:
    if "killSwitch" in body:
        problems.is_boolean("/killSwitch", body["killSwitch"])
    given = body.get("kill")
    if given is not None and not (isinstance(given, Mapping) and given == kill):
        problems.add("/kill", 'cannot be written here: POST …/kill, or send "killSwitch": true')


def _check_plain_fields(problems: Problems, body: Mapping[str, Any]) -> None:
    for name in ("enabled", "clientVisible"):
        problems.is_boolean(f"/{name}", body.get(name, False))
    problems.is_text("/bucketBy", body.get("bucketBy", "userId"), LONGEST_NAME, shortest=1)
    problems.is_text("/description", body.get("description", ""), LONGEST_DESCRIPTION)
    problems.is_text("/owner", body.get("owner", ""), LONGEST_NAME)
    kinds = [kind.value for kind in FlagKind]
    kind = body.get("kind", FlagKind.RELEASE)
    if not isinstance(kind, str) or kind not in kinds:
        problems.add("/kind", unknown_name("kind", kind, kinds))
    days = body.get("expectedLifeDays")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 0 < days <= LONGEST_LIFE_DAYS):
        wanted = f"must be a whole number of days from 1 to {LONGEST_LIFE_DAYS}; null takes the environment's"
        problems.add("/expectedLifeDays", f"{wanted}, not {shown(days)}")
    after = body.get("failSafeAfter")
    if after is not None and problems.is_number("/failSafeAfter", after) and after <= 0:
        problems.add("/failSafeAfter", f"must be more than 0 seconds, not {after}; null turns it off")
    tags = body.get("tags", [])
    if problems.is_list("/tags", tags):
        for index, tag in enumerate(tags):
            problems.is_text(f"/tags/{index}", tag, LONGEST_NAME, shortest=1)
        problems.are_unique("/tags", tags)
        if len(tags) > MOST_TAGS:
            problems.add("/tags", f"has {len(tags)} tags; at most {MOST_TAGS} fit")


def _check_ids(problems: Problems, body: Mapping[str, Any], first: str, second: str) -> None:
    """Check two lists of ids; one that is in both is a mistake in one of them."""
    for name in (first, second):
        ids = body.get(name, [])
        if problems.is_list(f"/{name}", ids):
            for index, user in enumerate(ids):
                problems.is_text(f"/{name}/{index}", user, LONGEST_ID, shortest=1)
            problems.are_unique(f"/{name}", ids)
    one, other = body.get(first), body.get(second)
    if isinstance(one, list) and isinstance(other, list):
        known = {user for user in one if isinstance(user, str)}
        for index, user in enumerate(other):
            if isinstance(user, str) and user in known:
                problems.add(f"/{second}/{index}", f"{shown(user)} is in {first!r} too; remove it from one of them")


def _check_arm(problems: Problems, pointer: str, arm: Mapping[str, Any]) -> None:
    """Check the three fields that a flag and each of its overrides have."""
    check_rules(problems, f"{pointer}/rules", arm.get("rules", []))
    percentage = arm.get("rolloutPercentage", 100)
    at = f"{pointer}/rolloutPercentage"
    if problems.is_number(at, percentage):
        if not 0 <= percentage <= 100:
            problems.add(at, f"must be 0–100, not {percentage}")
        elif percentage != round(percentage, 3):
            problems.add(at, f"has more than three decimals: {percentage}; {round(percentage, 3)} is the nearest")
    variants = arm.get("variants", [])
    if problems.is_list(f"{pointer}/variants", variants):
        _check_variants(problems, f"{pointer}/variants", variants)


def _check_variants(problems: Problems, pointer: str, variants: list[Any]) -> None:
    weights = []
    for index, variant in enumerate(variants):
        at = f"{pointer}/{index}"
        if not problems.is_object(at, variant, ("name", "weight", "value"), required=("name", "weight")):
            continue
        problems.is_text(f"{at}/name", variant.get("name", "-"), LONGEST_NAME, shortest=1)
        problems.is_json(f"{at}/value", variant.get("value"))
        weight = variant.get("weight")
        if "weight" in variant and problems.is_number(f"{at}/weight", weight):
            weights.append(weight)
            if weight < 0:
                problems.add(f"{at}/weight", f"must not be negative: {weight}; 0 means never")
    problems.are_unique(pointer, variants, "name")
    if variants and len(weights) == len(variants) and not 0 < sum(map(float, weights)) < float("inf"):
        problems.add(pointer, "needs weights with a finite sum above 0, else no variant can be picked")


def _check_overrides(problems: Problems, overrides: Any) -> None:
    if not problems.is_list("/overrides", overrides):
        return
    for index, override in enumerate(overrides):
        at = f"/overrides/{index}"
        if not problems.is_object(at, override, ("name", *ARM_FIELDS), required=("name",)):
            continue
        problems.is_text(f"{at}/name", override.get("name", "-"), LONGEST_NAME, shortest=1)
        _check_arm(problems, at, override)
        rules = override.get("rules", [])
        if isinstance(rules, list) and not rules:
            problems.add(f"{at}/rules", "needs a rule: without one it would hide all that comes after it")
    problems.are_unique("/overrides", overrides, "name")


def _check_requires(problems: Problems, requires: Any) -> None:
    if not problems.is_list("/requires", requires):
        return
    for index, requirement in enumerate(requires):
        at = f"/requires/{index}"
        if not problems.is_object(at, requirement, ("flag", "variant"), required=("flag",)):
            continue
        wrong = check_key(requirement["flag"]) if "flag" in requirement else None
        if wrong is not None:
            problems.add(f"{at}/flag", wrong)
        if requirement.get("variant") is not None:
            problems.is_text(f"{at}/variant", requirement["variant"], LONGEST_NAME, shortest=1)
    problems.are_unique("/requires", requires, "flag")


def _check_size(problems: Problems, body: Mapping[str, Any], largest: int) -> None:
    try:
        size = len(msgspec.json.encode(body))
    except Exception as error:  # noqa: BLE001  # lone surrogates, foreign types, endless nesting: nothing to store
        if not problems.found:
            problems.add("", f"cannot be written as JSON: {error} (a body of {a(body)})")
        return
    if size > largest:
        problems.add("", f"takes {size:,} bytes; at most {largest:,} fit. Move long lists of ids into a segment")
