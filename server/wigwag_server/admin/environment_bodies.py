"""What a person asks of an environment, checked whole. Pure."""

import re
from typing import Any

import msgspec

from wigwag_proto.problems import Problems, shown
from wigwag_proto.validate import LONGEST_LIFE_DAYS
from wigwag_server.admin.bodies import refuse

# Part of file names and of keys in Redis, and case must not matter on any disk.
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
NAME_RULE = "has 1–32 of a-z 0-9 and -, and begins with a letter or digit"
SETTINGS = {
    "expectedLifeDays": "expected_life_days",
    "ownerReleaseFlags": "owner_release_flags",
    "refuseOverLimit": "refuse_over_limit",
    "sampleContexts": "sample_contexts",
}
CREATE_FIELDS = ("name", "cloneFrom", "description", "approvals", "comment")
EDIT_FIELDS = ("description", "approvals", *SETTINGS, "comment")
MOST_OWNER_FLAGS = 100_000
LONGEST_DESCRIPTION = 1000
LONGEST_COMMENT = 1000


class CreateBody(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that is to be made."""

    name: str
    clone_from: str | None = None
    description: str = ""
    approvals: bool = False
    comment: str = ""


class EditBody(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that are to be changed, as `EnvironmentRecord` names them."""

    fields: dict[str, Any]
    comment: str = ""


def read_create_body(body: dict[str, Any]) -> CreateBody:
    """Return what is to be made. Raises Problem (422)."""
    problems = Problems()
    problems.is_object("", body, CREATE_FIELDS, required=("name",))
    name, source = body.get("name", "-"), body.get("cloneFrom")
    if "name" in body and not (isinstance(name, str) and NAME.fullmatch(name)):
        problems.add("/name", f"the name of an environment {NAME_RULE}; {shown(name)} does not")
    if source is not None and not isinstance(source, str):
        problems.add("/cloneFrom", "must be the name of an environment, or null")
    _check_common(problems, body)
    refuse("The environment was not made.", problems.found)
    return CreateBody(
        name=name,
        clone_from=source,
        description=body.get("description", ""),
        approvals=body.get("approvals", False),
        comment=body.get("comment", ""),
    )


def read_edit_body(body: dict[str, Any]) -> EditBody:
    """Return what is to be changed. Raises Problem (422)."""
    problems = Problems()
    problems.is_object("", body, EDIT_FIELDS)
    _check_common(problems, body)
    refuse("The environment was not changed.", problems.found)
    fields = {SETTINGS.get(name, name): value for name, value in body.items() if name != "comment"}
    return EditBody(fields=fields, comment=body.get("comment", ""))


def _check_common(problems: Problems, body: dict[str, Any]) -> None:
    _is_whole(problems, "expectedLifeDays", body.get("expectedLifeDays", 1), LONGEST_LIFE_DAYS)
    if body.get("ownerReleaseFlags") is not None:
        _is_whole(problems, "ownerReleaseFlags", body["ownerReleaseFlags"], MOST_OWNER_FLAGS)
    problems.is_boolean("/refuseOverLimit", body.get("refuseOverLimit", False))
    problems.is_boolean("/sampleContexts", body.get("sampleContexts", False))
    problems.is_text("/description", body.get("description", ""), LONGEST_DESCRIPTION)
    problems.is_boolean("/approvals", body.get("approvals", False))
    problems.is_text("/comment", body.get("comment", ""), LONGEST_COMMENT)


def _is_whole(problems: Problems, name: str, value: Any, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        problems.add(f"/{name}", f"must be a whole number from 1 to {most:,}, not {shown(value)}")
