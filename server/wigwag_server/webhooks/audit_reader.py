"""The audit log as an outbox: it is durable, in order and shared already, and only a place in it has to be kept."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wigwag_proto.audit import AuditQuery, Entry, Recorded
from wigwag_proto.errors import Malformed
from wigwag_server.environment import Environment
from wigwag_server.webhooks.events import Event, events_of
from wigwag_server.webhooks.progress import Place
from wigwag_server.webhooks.queue import Item, ordering
from wigwag_server.webhooks.webhook import Webhook

PAGE = 200


async def read_on(log: Environment, place: Place) -> tuple[list[Recorded], Place, bool]:
    """Return the entries that follow a place, the place after them, and whether there may be more.

    Raises StoreUnavailable. The entry at the place itself is read again: if it is another one by now, the store has
    lost the log and begun a new one, of which everything is news that is later than what was known.
    """
    page = list(await log.audit(AuditQuery(limit=PAGE, after=max(0, place.sequence - 1))))
    more = len(page) == PAGE
    if place.sequence:
        if page and page[0].sequence == place.sequence and page[0].link == place.link:
            page = page[1:]
        elif not page or page[0].sequence <= place.sequence:
            page = list(await log.audit(AuditQuery(limit=PAGE, after=0)))
            more = len(page) == PAGE
            kept = [each for each in page if _at(each) > place.at]
            return kept, _after(page, Place(0, "", place.at)), more
    return page, _after(page, place), more


async def place_before(log: Environment, since_ms: int) -> Place:
    """Return the place before the first entry that is not older than that. Raises StoreUnavailable."""
    query = AuditQuery(limit=PAGE)
    while page := await log.audit(query):
        for each in page:
            if _at(each) < since_ms:
                return Place(each.sequence, each.link, _at(each))
        query = AuditQuery(limit=PAGE, before=page[-1].sequence)
    return Place(0, "", since_ms - 1)


def items_of(log: Environment, page: Iterable[Recorded], webhook: Webhook) -> Iterator[Item]:
    """Yield what entries have to tell to a webhook. What happened before it was made is none of its business."""
    for recorded in page:
        entry = _entry(recorded)
        if entry is None or entry.at < webhook.created_at:
            continue
        for event in events_of(log.name, entry, webhook, _flags(log)):
            yield Item(
                id=event.id,
                type=event.type,
                environment=log.name,
                at=event.at,
                sequence=recorded.sequence,
                keys=ordering([*event.keys, *(f"segment/{each['key']}" for each in event.segments)]),
            )


async def event_of(item: Item, logs: Mapping[str, Environment], webhook: Webhook) -> Event | None:
    """Return the event of an item; None when it is in the log no longer, or no longer asked for.

    Raises StoreUnavailable.
    """
    log = logs.get(item.environment)
    if log is None or item.sequence is None:
        return None
    for recorded in await log.audit(AuditQuery(limit=1, after=item.sequence - 1)):
        entry = _entry(recorded)
        if entry is not None:
            return next((each for each in events_of(log.name, entry, webhook, _flags(log)) if each.id == item.id), None)
    return None


def _after(page: list[Recorded], place: Place) -> Place:
    return Place(page[-1].sequence, page[-1].link, max(place.at, _at(page[-1]))) if page else place


def _entry(recorded: Recorded) -> Entry | None:
    try:
        return recorded.entry()
    except Malformed:
        return None


def _flags(log: Environment) -> Mapping[str, Any]:
    return log.replica.records.get("flag", {})


def _at(recorded: Recorded) -> int:
    entry = _entry(recorded)
    return entry.at if entry else 0
