"""What becomes of what belongs to an environment, as pure functions."""

from typing import Any

import msgspec
import pytest

from wigwag_server.admin.configuration import Wanted
from wigwag_server.admin.environment_commands import EMPTY, Begin, CreateEnvironment, DeleteEnvironment
from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.auth.rights import Role, Scope
from wigwag_server.environments import EnvironmentRecord
from wigwag_server.problems import Problem


def key(name: str, environment: str | None = None, *environments: str) -> Any:
    kind = KeyKind.SERVER if environment else KeyKind.ADMIN
    scope = Scope(environments=environments)
    made = Key(id=name, kind=kind, name=name, hash=name, environment=environment, scope=scope, created_at=0)
    return msgspec.to_builtins(msgspec.structs.replace(made, role=Role.ADMIN))


def test_a_deletion_takes_the_keys_and_narrows_the_tokens() -> None:
    records = {
        "environment": {"staging": {"name": "staging"}},
        "key": {
            "app": key("app", "staging"),
            "other": key("other", "production"),
            "only": key("only", None, "staging"),
            "both": key("both", None, "staging", "production"),
            "all": key("all"),
        },
        "use": {"app": {"at": 1}, "other": {"at": 1}},
        "approval": {"a": {"environment": "staging"}, "b": {"environment": "production"}},
    }
    changes = DeleteEnvironment("staging")(records, 1, 1)
    gone = {(change.kind, change.key) for change in changes if change.value is None}
    assert gone == {("environment", "staging"), ("key", "app"), ("key", "only"), ("use", "app"), ("approval", "a")}
    (narrowed,) = [change for change in changes if change.value is not None]
    assert (narrowed.key, [*narrowed.value["scope"]["environments"]]) == ("both", ["production"])
    with pytest.raises(Problem):
        DeleteEnvironment("production")(records, 1, 1)


def test_what_an_earlier_one_left_is_gone_when_one_begins() -> None:
    left: dict[str, dict[str, Any]] = {
        "flag": {"old": {"key": "old", "kill": {"by": "ann", "at": 1}}, "both": {"key": "both", "createdAt": 1}},
        "segment": {"old": {"key": "old"}},
        "revival": {"old": {"at": 1}},
        "absorption": {"e": {"at": 1}},
    }
    changes = {(each.kind, each.key): each.value for each in Begin(Wanted({"flag": {"both": {}}}))(left, 7, 70)}
    assert {name for name, value in changes.items() if value is None} == {
        ("flag", "old"),
        ("segment", "old"),
        ("revival", "old"),
    }
    assert (changes["flag", "both"]["createdAt"], changes["flag", "both"]["kill"]) == (70, None)
    assert {(each.kind, each.key) for each in EMPTY(left, 7, 70)} == {
        ("flag", "old"),
        ("flag", "both"),
        ("segment", "old"),
        ("revival", "old"),
    }


def test_environments_are_so_many_and_no_more() -> None:
    record = EnvironmentRecord(name="new")
    assert CreateEnvironment(record, 2)({}, 1, 1)
    with pytest.raises(Problem, match="limit"):
        CreateEnvironment(record, 2)({"environment": {"one": {}}}, 1, 1)
    with pytest.raises(Problem, match="already"):
        CreateEnvironment(EnvironmentRecord(name="production"), 9)({}, 1, 1)
