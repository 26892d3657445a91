"""What a delivery says: generic JSON, or a message for Slack and what takes the same. Pure."""

import msgspec

from wigwag_proto.codec import encode
from wigwag_server.webhooks.events import Event
from wigwag_server.webhooks.webhook import EventType, Template

LARGEST = 64 * 1024
SIGNS = {
    EventType.KILL: ":octagonal_sign:",
    EventType.EMERGENCY: ":rotating_light:",
    EventType.REVIVE: ":large_green_circle:",
    EventType.DEGRADED: ":warning:",
    EventType.DIVERGENCE: ":warning:",
    EventType.STALE: ":warning:",
    EventType.RECOVERED: ":white_check_mark:",
    EventType.ROLLBACK: ":rewind:",
    EventType.GUARDRAIL: ":rotating_light:",
}
VERBS = {
    EventType.KILL: "killed",
    EventType.EMERGENCY: "killed in an emergency (the store is away)",
    EventType.REVIVE: "revived",
    EventType.CHANGE: "changed",
    EventType.ROLLOUT_STEP: "rolled out further",
    EventType.ROLLBACK: "rolled back",
    EventType.GUARDRAIL: "did not keep to its guard",
}
NAMED = 20


def body_of(event: Event, template: Template) -> bytes:
    """Return the body of a delivery."""
    if template is Template.SLACK:
        return encode({"text": slack_text(event)})
    body = encode(msgspec.to_builtins(event))
    if len(body) <= LARGEST:
        return body
    # Many receivers refuse more; what is left out is in the audit log under the revision.
    keys = tuple({"key": each["key"]} for each in event.flags[:1000])
    return encode(msgspec.to_builtins(msgspec.structs.replace(event, flags=keys, segments=(), detail={"cut": True})))


def slack_text(event: Event) -> str:
    """Return one message in Slack's markup. What people wrote can neither mention anybody nor make a link."""
    kind = EventType(event.type)
    sign = SIGNS.get(kind, ":information_source:")
    records = event.flags or event.segments
    if kind not in VERBS or not records:
        return f"{sign} *{_escaped(event.summary)}*"
    names = ", ".join(f"`{_escaped(str(each['key']))}`" for each in records[:NAMED])
    more = f" and {len(records) - NAMED} more" if len(records) > NAMED else ""
    by = f" by {_escaped(event.by)}" if event.by else ""
    why = f"\n> {_escaped(event.reason)}" if event.reason else ""
    revision = f" (revision {event.revision})" if event.revision is not None else ""
    return f"{sign} {names}{more} *{VERBS[kind]}* in {_escaped(event.environment)}{by}{revision}{why}"


def _escaped(text: str) -> str:
    clean = "".join(each if each.isprintable() else " " for each in text)
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")[:1000]
