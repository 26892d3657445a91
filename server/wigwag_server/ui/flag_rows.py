"""What the list of flags shows of each. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wigwag_server.admin.flag_state import FlagState, flag_state
from wigwag_server.ui.words import EVERYONE, audience

SORTS = ("key", "changed", "state", "owner")
LABELS = {
    FlagState.KILLED: "Killed",
    FlagState.OFF: "Off",
    FlagState.PARTIAL: "Partial",
    FlagState.ON: "On",
    FlagState.DAMAGED: "Damaged",
}
# What needs looking at stands first.
ORDER = [FlagState.KILLED, FlagState.DAMAGED, FlagState.PARTIAL, FlagState.ON, FlagState.OFF]


@dataclass(frozen=True, slots=True)
class Row:
    """A flag in the list."""

    key: str
    state: FlagState
    audience: str
    kill: Mapping[str, Any] | None
    plain: Mapping[str, Any]

    @property
    def line(self) -> str:
        """What the state alone does not say: for whom it is on, or would be. Nothing where it says all."""
        if self.state is FlagState.ON:
            return "" if self.audience == EVERYONE else self.audience
        if self.state is FlagState.KILLED:
            return f"then {self._then}"
        if self.state is FlagState.OFF and not self.plain.get("enabled"):
            return "" if self.audience == EVERYONE else f"once on: {self.audience}"
        return self.audience

    @property
    def _then(self) -> str:
        """What it would be without its kill."""
        if not self.plain.get("enabled"):
            return "off"
        return "on" if self.audience == EVERYONE else self.audience

    @property
    def comes_back(self) -> str:
        """What reviving brings back, as a sentence."""
        if not self.plain.get("enabled"):
            return "Comes back turned off."
        return f"Comes back on, for {self.audience}."

    @property
    def label(self) -> str:
        """The state as a word."""
        return LABELS[self.state]


def kills_without_store(emergencies: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the kills that stand in no flag yet, by key."""
    return {key: each for each in emergencies for key in each["keys"]}


def row(plain: Any, emergencies: Mapping[str, Mapping[str, Any]]) -> Row:
    """Return a flag as it is listed."""
    flag = plain if isinstance(plain, Mapping) else {}
    key = str(flag.get("key", "?"))
    kill = flag.get("kill") or emergencies.get(key)
    state = flag_state(plain, killed=kill is not None)
    return Row(key, state, audience(flag), kill, flag)


def in_order(rows: list[Row], sort: str) -> list[Row]:
    """Return the rows in an order; within it, by key."""
    by_key = sorted(rows, key=lambda each: each.key)
    if sort == "changed":
        return sorted(by_key, key=lambda each: -(each.plain.get("updatedAt") or 0))
    if sort == "state":
        return sorted(by_key, key=lambda each: ORDER.index(each.state))
    if sort == "owner":
        return sorted(by_key, key=lambda each: (not each.plain.get("owner"), str(each.plain.get("owner", "")).lower()))
    return by_key
