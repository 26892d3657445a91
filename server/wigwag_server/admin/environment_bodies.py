"""What a person asks of an environment, checked whole. Pure."""

import re
from typing import Any

import msgspec

from wigwag_proto.problems import Problems, shown
from wigwag_server.admin.bodies import refuse

# Part of file names and of keys in Redis, and case must not matter on any disk.
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
NAME_RULE = "has 1–32 of a-z 0-9 and -, and begins with a letter or digit"
CREATE_FIELDS = ("name", "cloneFrom", "description", "approvals", "comment")
EDIT_FIELDS = ("description", "approvals", "comment")
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
    fields = {name: value for name, value in body.items() if name != "comment"}
    return EditBody(fields=fields, comment=body.get("comment", ""))


def _check_common(problems: Problems, body: dict[str, Any]) -> None:
    problems.is_text("/description", body.get("description", ""), LONGEST_DESCRIPTION)
    problems.is_boolean("/approvals", body.get("approvals", False))
    problems.is_text("/comment", body.get("comment", ""), LONGEST_COMMENT)
