"""What a webhook is, as `_system` holds it, and which events it asks for. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables

RECORD = "webhook"


class EventType(StrEnum):
    """What can be told."""

    KILL = "kill"
    REVIVE = "revive"
    CHANGE = "change"
    EMERGENCY = "emergency"
    DEGRADED = "degraded"
    RECOVERED = "recovered"
    DIVERGENCE = "divergence"
    STALE = "stale"
    ROLLOUT_STEP = "rollout-step"
    ROLLBACK = "rollback"
    GUARDRAIL = "guardrail"
    TEST = "test"


# A test is asked for, and not subscribed to.
SUBSCRIBABLE = tuple(each for each in EventType if each is not EventType.TEST)


class Template(StrEnum):
    """What a delivery looks like."""

    JSON = "json"
    SLACK = "slack"


class Webhook(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Where to send what. Times are Unix times in ms. An empty filter lets everything through.

    `flags` are keys or shell patterns. With `flags` and `tags`, a flag that meets either will do, as for tokens; what
    concerns no flag is not held back by them. `previous_secret` signs too until `previous_until`. `retry_at` is when
    somebody last had everything that waits tried again.
    """

    id: str
    url: str
    secret: str
    name: str = ""
    events: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    template: Template = Template.JSON
    active: bool = True
    created_at: int = 0
    created_by: str = ""
    previous_secret: str = ""
    previous_until: int = 0
    retry_at: int = 0

    def secrets(self, now_ms: float) -> tuple[str, ...]:
        """Return what signs now."""
        return (self.secret, self.previous_secret) if now_ms < self.previous_until else (self.secret,)

    def wants(self, event: str, environment: str) -> bool:
        """Say whether events of this type and environment are asked for at all."""
        asked_for = not self.events or event in self.events
        return self.active and asked_for and (not self.environments or environment in self.environments)

    def wants_flag(self, key: str, *versions: Any) -> bool:
        """Say whether a flag is asked for, by its key or by a tag of any of its versions (plain, None where absent)."""
        if not self.flags and not self.tags:
            return True
        if any(fnmatchcase(key, pattern) for pattern in self.flags):
            return True
        return any(tag in self.tags for version in versions for tag in _tags(version))


def webhooks_of(system: Tables) -> dict[str, Webhook]:
    """Return the webhooks that there are and that can be read, by id."""
    found = (read_webhook(plain) for plain in system.get(RECORD, {}).values())
    return {each.id: each for each in found if each is not None}


def read_webhook(plain: Any) -> Webhook | None:
    """Read a record; None for one that cannot be read: nothing is sent for it."""
    try:
        return msgspec.convert(plain, Webhook)
    except msgspec.ValidationError:
        return None


def webhook_change(webhook: Webhook) -> Change:
    """Return the change of `_system` that puts it there."""
    return Change(RECORD, webhook.id, msgspec.to_builtins(webhook))


def _tags(version: Any) -> tuple[Any, ...]:
    tags = version.get("tags", ()) if isinstance(version, Mapping) else ()
    return tuple(tags) if isinstance(tags, (list, tuple)) else ()
