"""What there is to tell: events out of entries of the audit log, and those of a server itself. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.audit import Entry, Touched
from wigwag_proto.differences import differences
from wigwag_server.webhooks.webhook import EventType, Webhook

# Commits whose action says more than what they change.
BY_ACTION: Mapping[str, EventType] = {
    "rollout.advance": EventType.ROLLOUT_STEP,
    "rollout.rollback": EventType.ROLLBACK,
}
# A guard has found something, and this is what it did. What that changed is told beside it, as any change is.
BREACHES: Mapping[str, tuple[str, str]] = {
    "rollout.breach": ("paused", "the rollout was paused"),
    "rollout.rollback": ("rolledBack", "it was rolled back"),
    "rollout.kill": ("killed", "it was killed"),
    "guard.kill": ("killed", "it was killed"),
    "guard.would-kill": ("nothing", "it would have been killed"),
}
TOLD = frozenset({"flag", "segment"})
GUARDED = frozenset({"rollout", "guard"})  # the records that guards write, by the key of their flag


class Event(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """One thing that has happened. `at` is Unix time in ms; `server` is told where it is about one server.

    `flags` (and `segments`) say by key what was changed, each with its `changes`.
    """

    id: str
    type: str
    at: int
    environment: str
    summary: str = ""
    revision: int | None = None
    by: str = ""
    reason: str = ""
    server: str = ""
    flags: tuple[dict[str, Any], ...] = ()
    segments: tuple[dict[str, Any], ...] = ()
    detail: dict[str, Any] = {}

    @property
    def keys(self) -> tuple[str, ...]:
        """The flags that it is about."""
        return tuple(str(each["key"]) for each in self.flags)


def events_of(environment: str, entry: Entry, webhook: Webhook, flags: Mapping[str, Any]) -> list[Event]:
    """Return what an entry of an environment's audit log has to tell to a webhook: one event for each type.

    `flags` are those of the environment: a guard may have found something, and not have touched the flag.
    """
    by_type: dict[EventType, list[Touched]] = {}
    for touched in entry.changes:
        if touched.kind in TOLD:
            by_type.setdefault(_type_of(entry, touched), []).append(touched)
    made = (_event(environment, entry, event, found, webhook) for event, found in by_type.items())
    found = [each for each in made if each is not None]
    breach = _breach(environment, entry, webhook, flags) if entry.action in BREACHES else None
    return found if breach is None else [breach, *found]


def about_server(
    event: EventType,
    environment: str,
    at: int,
    *,
    id_: str,
    server: str,
    summary: str,
    by: str = "",
    reason: str = "",
    keys: tuple[str, ...] = (),
    detail: dict[str, Any] | None = None,
) -> Event:
    """Return an event that is in no log."""
    return Event(
        id=id_,
        type=event.value,
        at=at,
        environment=environment,
        summary=summary,
        by=by,
        reason=reason,
        server=server,
        flags=tuple({"key": key} for key in keys),
        detail=detail or {},
    )


def for_webhook(event: Event, webhook: Webhook, records: Mapping[str, Any]) -> Event | None:
    """Return a server's event as a webhook asks for it, None where it does not. `records` are the flags, for tags."""
    if not webhook.wants(event.type, event.environment):
        return None
    if not event.flags:
        return event
    flags = tuple(each for each in event.flags if webhook.wants_flag(each["key"], records.get(each["key"])))
    return msgspec.structs.replace(event, flags=flags) if flags else None


def _event(environment: str, entry: Entry, event: EventType, found: list[Touched], webhook: Webhook) -> Event | None:
    if not webhook.wants(event, environment):
        return None
    flags = [each for each in found if each.kind == "flag" and webhook.wants_flag(each.key, each.before, each.after)]
    segments = [each for each in found if each.kind == "segment" and not webhook.flags and not webhook.tags]
    if not flags and not segments:
        return None
    names = ", ".join(each.key for each in (flags or segments)[:10]) + (" …" if len(flags or segments) > 10 else "")
    return Event(
        # The head is a random name of the commit, the same on every server and at every attempt.
        id=f"{environment}.{entry.head}.{event}",
        type=event.value,
        at=entry.at,
        environment=environment,
        summary=f"{names} in {environment}: {entry.action} by {entry.by}",
        revision=entry.revision,
        by=entry.by,
        reason=_reason(event, flags, entry),
        flags=tuple(_shown(each) for each in flags),
        segments=tuple(_shown(each) for each in segments),
    )


def _breach(environment: str, entry: Entry, webhook: Webhook, flags: Mapping[str, Any]) -> Event | None:
    if not webhook.wants(EventType.GUARDRAIL, environment):
        return None
    found = [each for each in entry.changes if each.kind in GUARDED]
    changed = {each.key: (each.before, each.after) for each in entry.changes if each.kind == "flag"}
    wanted = [each for each in found if webhook.wants_flag(each.key, flags.get(each.key), *changed.get(each.key, ()))]
    if not wanted:
        return None
    did, words = BREACHES[entry.action]
    reason = f"{entry.comment}: {words}"
    return Event(
        id=f"{environment}.{entry.head}.{EventType.GUARDRAIL}",
        type=EventType.GUARDRAIL.value,
        at=entry.at,
        environment=environment,
        summary=f"{', '.join(each.key for each in wanted)} in {environment}: {reason}",
        revision=entry.revision,
        by=entry.by,
        reason=reason,
        flags=tuple({"key": each.key} for each in wanted),
        detail={"did": did},
    )


def _type_of(entry: Entry, touched: Touched) -> EventType:
    if entry.action in BY_ACTION:
        return BY_ACTION[entry.action]
    if touched.kind == "flag":
        before, after = _kill(touched.before), _kill(touched.after)
        if after is not None and after != before:  # also another reason, or another end
            return EventType.KILL
        if before is not None and after is None and touched.after is not None:
            return EventType.REVIVE
    return EventType.CHANGE


def _kill(record: Any) -> Any:
    return record.get("kill") if isinstance(record, Mapping) else None


def _reason(event: EventType, flags: list[Touched], entry: Entry) -> str:
    """Return why: what was said with the kill, else the comment of whoever did it."""
    if event is EventType.KILL:
        kill = _kill(flags[0].after)
        if isinstance(kill, Mapping) and kill.get("reason"):
            return str(kill["reason"])
    return entry.comment


def _shown(touched: Touched) -> dict[str, Any]:
    after = touched.after if isinstance(touched.after, Mapping) else {}
    shown: dict[str, Any] = {"key": touched.key, "exists": touched.after is not None}
    if touched.kind == "flag" and after:
        shown |= {"enabled": after.get("enabled", False), "kill": after.get("kill")}
        shown["rolloutPercentage"] = after.get("rolloutPercentage", 100)
    return {**shown, "changes": differences(touched.kind, touched.before, touched.after)}
