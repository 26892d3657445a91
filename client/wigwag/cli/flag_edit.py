"""What `wigwag set` does to a flag's configuration. Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wigwag.cli.exits import ExitCode, Stop
from wigwag_proto.validate import SERVER_FIELDS

Plain = dict[str, Any]

CLEARABLE = {"allow": "whitelist", "deny": "blacklist", "rules": "rules", "tags": "tags"}


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to change; None and () leave things as they are.

    Lists are added to, never replaced unasked: who allows one more user must not lock out fifty. `clear` empties the
    lists it names first, `unlist` takes users out of both lists.
    """

    enabled: bool | None = None
    rollout: float | None = None
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    unlist: Sequence[str] = ()
    rules: Sequence[Plain] = ()
    tags: Sequence[str] = ()
    clear: Sequence[str] = ()
    description: str | None = None
    owner: str | None = None
    kind: str | None = None
    expected_life: int | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return self == Edit()

    def applied_to(self, configuration: Mapping[str, Any]) -> Plain:
        """Return the configuration after the edit. Fields that it does not concern are carried along."""
        said = {
            "enabled": self.enabled,
            "rolloutPercentage": self.rollout,
            "description": self.description,
            "owner": self.owner,
            "kind": self.kind,
            "expectedLifeDays": self.expected_life,
        }
        after = {**configuration, **{field: value for field, value in said.items() if value is not None}}
        for name in self.clear:
            after[CLEARABLE[name]] = []
        # One user in both lists would be off, whatever was asked for last.
        _edit_list(after, "whitelist", self.allow, [*self.deny, *self.unlist])
        _edit_list(after, "blacklist", self.deny, [*self.allow, *self.unlist])
        _edit_list(after, "rules", self.rules, [])
        _edit_list(after, "tags", self.tags, [])
        return after


def configuration_of(flag: Mapping[str, Any]) -> Plain:
    """Return what people decide of a flag, without what the server fills in."""
    return {field: value for field, value in flag.items() if field not in SERVER_FIELDS}


def read_percent(text: str) -> float:
    """Read `10`, `10%` or `0.5`. Raises ValueError."""
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise ValueError(f"{text!r} is not a percentage from 0 to 100, such as 10 or 0.5")
    return int(number) if number.is_integer() else number


def read_rule(text: str) -> Plain:
    """Read `ATTRIBUTE OPERATOR VALUE`; the value is JSON where it is JSON, else text. Raises ValueError."""
    words = text.split(None, 2)
    if len(words) < 2:
        raise ValueError(f"{text!r} is not 'ATTRIBUTE OPERATOR VALUE', such as 'plan equals premium' or 'age exists'")
    rule: Plain = {"attribute": words[0], "operator": words[1]}
    if len(words) == 3:
        rule["value"] = _value(words[2].strip())
    return rule


def read_configuration(text: str, source: str, key: str, now: Mapping[str, Any] | None) -> Plain:
    """Read a flag's whole configuration, also as `wigwag show --json` prints it. Raises Stop.

    `now` is the flag as it is; None when there is none.
    What the server fills in is left out. But another flag's file, and a kill that is not in force, are refused: to
    ignore them would look as if they had been heeded.
    """
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Stop(f"{source} is not JSON: {error}", ExitCode.USAGE) from None
    if not isinstance(body, dict):
        raise Stop(f'{source} is to hold a JSON object, such as {{"enabled": true}}', ExitCode.USAGE)
    if body.get("key", key) != key:
        raise Stop(
            f'{source} is of the flag {body["key"]!r}, not of {key!r}; take "key" out of it to use it for both',
            ExitCode.USAGE,
        )
    if body.get("kill") is not None and body["kill"] != (now or {}).get("kill"):
        raise Stop(f"{source} has a \"kill\", which cannot be set so: 'wigwag kill {key}' kills", ExitCode.USAGE)
    return configuration_of(body)


def _value(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(constant)  # NaN and Infinity are no JSON: text, then

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError:
        return text


def _edit_list(configuration: Plain, field: str, add: Sequence[Any], remove: Sequence[Any]) -> None:
    before = list(configuration.get(field) or [])
    after = [item for item in before if item not in remove]
    for item in add:
        if not any(_same(item, known) for known in after):
            after.append(item)
    if after != before:
        configuration[field] = after


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does: to Python `true` is 1, to a rule it is not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
