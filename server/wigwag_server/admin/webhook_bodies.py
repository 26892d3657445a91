"""What a person asks of a webhook, checked whole. Pure."""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from wigwag_proto.problems import Problems, unknown_name
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.key_bodies import LONGEST_OVERLAP_MS, MAX_NAME, MOST_LISTED, PATTERN
from wigwag_server.admin.times import LENGTH, span_ms
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Scope
from wigwag_server.problems import Problem
from wigwag_server.webhooks.addresses import is_public, literal
from wigwag_server.webhooks.webhook import SUBSCRIBABLE, Template, Webhook

FIELDS = ("url", "name", "events", "flags", "tags", "environments", "template", "active", "comment")
ROTATE_FIELDS = ("overlap", "comment")
LONGEST_URL = 2048
LONGEST_COMMENT = 1000
DEFAULT_OVERLAP_MS = 86_400_000


class WebhookFields(msgspec.Struct, frozen=True):
    """What is asked for, by the field of a Webhook, and why."""

    fields: Mapping[str, Any]
    comment: str


def read_webhook_body(
    body: Mapping[str, Any], environments: Collection[str], *, new: bool, allow_private: bool
) -> WebhookFields:
    """Return what is asked for. Raises Problem (422) with everything that is wrong in it."""
    problems = Problems()
    problems.is_object("", dict(body), FIELDS)
    if new and "url" not in body:
        problems.add("/url", "is missing: where is it to be sent?")
    found: dict[str, Any] = {}
    if "url" in body:
        found["url"] = body["url"]
        if (wrong := _wrong_url(body["url"], allow_private=allow_private)) is not None:
            problems.add("/url", wrong)
    for field, longest in (("name", MAX_NAME), ("comment", LONGEST_COMMENT)):
        text = body.get(field, "")
        if not isinstance(text, str) or len(text) > longest or not text.isprintable():
            problems.add(f"/{field}", f"must be printable text of at most {longest} characters")
        elif field in body and field != "comment":
            found[field] = text
    found |= _lists(problems, body, environments)
    if "template" in body:
        found["template"] = body["template"]
        if not isinstance(body["template"], str) or body["template"] not in tuple(Template):
            problems.add("/template", f"must be one of {', '.join(Template)}")
    if "active" in body:
        found["active"] = body["active"]
        if not isinstance(body["active"], bool):
            problems.add("/active", "must be true or false")
    refuse("The webhook was not made." if new else "The webhook was not changed.", problems.found)
    if "template" in found:
        found["template"] = Template(found["template"])
    return WebhookFields(found, body.get("comment", ""))


def read_overlap(body: Mapping[str, Any]) -> tuple[int, str]:
    """Return how long the old secret goes on signing (ms), and why. Raises Problem (422)."""
    problems = Problems()
    problems.is_object("", dict(body), ROTATE_FIELDS)
    overlap = span_ms(body.get("overlap", "24h"))
    if overlap is None or overlap > LONGEST_OVERLAP_MS:
        problems.add("/overlap", f"must be {LENGTH}, and at most 90d; 0s ends the old secret at once")
    comment = body.get("comment", "")
    if not isinstance(comment, str) or len(comment) > LONGEST_COMMENT or not comment.isprintable():
        problems.add("/comment", f"must be printable text of at most {LONGEST_COMMENT} characters")
    refuse("The secret was not replaced.", problems.found)
    return overlap or 0, comment


def check_reach(caller: Key, webhook: Webhook) -> None:
    """Raise Problem (403) where a webhook is told more than a limited token may see to."""
    if not covers(caller, webhook):
        detail = (
            "This token is limited, and this webhook would reach, or reaches, beyond that. "
            "Give it environments, flags or tags within the limits."
        )
        raise Problem(HTTPStatus.FORBIDDEN, detail)


def covers(caller: Key, webhook: Webhook) -> bool:
    """Say whether all that a webhook is told is within the caller's limits."""
    return caller.scope.contains(Scope(environments=webhook.environments, flags=webhook.flags, tags=webhook.tags))


def _lists(problems: Problems, body: Mapping[str, Any], environments: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the filters."""
    fields = ("events", "flags", "tags", "environments")
    found = {field: _names(problems, body[field], field) for field in fields if field in body}
    for field, known in (("events", tuple(SUBSCRIBABLE)), ("environments", tuple(environments))):
        for index, each in enumerate(found.get(field, ())):
            if each not in known:
                problems.add(f"/{field}/{index}", unknown_name(field.removesuffix("s"), each, known))
    for index, each in enumerate(found.get("flags", ())):
        if not PATTERN.fullmatch(each):
            problems.add(f"/flags/{index}", "must be the key of a flag, or a shell pattern such as pay.*")
    return found


def _names(problems: Problems, names: Any, field: str) -> tuple[str, ...]:
    if not problems.is_list(f"/{field}", names):
        return ()
    if len(names) > MOST_LISTED:
        problems.add(f"/{field}", f"has {len(names)} entries; at most {MOST_LISTED} fit")
        return ()
    good = [problems.is_text(f"/{field}/{index}", name, MAX_NAME, shortest=1) for index, name in enumerate(names)]
    return tuple(names) if all(good) else ()


def _wrong_url(url: Any, *, allow_private: bool) -> str | None:
    """Say what is wrong with a URL, None for nothing. Where its name leads is looked at with every delivery."""
    if not isinstance(url, str) or not url or len(url) > LONGEST_URL or not _is_plain(url):
        return f"must be a URL of at most {LONGEST_URL} characters, such as https://chat.example/hooks/1"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL that can be read"
    schemes: Sequence[str] = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not host:
        return f"must begin with {' or '.join(f'{each}://' for each in schemes)} and name a host"
    if parts.username or parts.password:
        return "must not have a password in it: deliveries are signed"
    address = literal(host)
    if not allow_private and (host == "localhost" or (address is not None and not is_public(address))):
        return "leads to a private address; the server's option --webhook-allow-private permits that"
    return None


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url
