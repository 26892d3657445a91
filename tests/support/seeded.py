"""A store with a past: flags that were written days ago, with the audit log of that."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from wigwag_proto.audit import Author, Touched, entry_data, make_entry
from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_server.admin.flag_life import DAY_MS
from wigwag_server.store.from_url import open_store
from wigwag_server.store.store import Accepted, Begin

# How many days ago, which flag, and its fields from then on.
Written = tuple[float, str, dict[str, Any]]


async def seed(url: str, past: Iterable[Written], *, settle_s: float = 0.1) -> None:
    """Write flags as they were written at their times, and leave the store to a server."""
    now = round(time.time() * 1000)
    history: Sequence[Written] = sorted(past, key=lambda each: -each[0])
    store = await open_store(url, settle_s=settle_s)
    try:
        epoch = Epoch(now - 1000 * DAY_MS, "seeded")
        cursor = None
        while cursor is None:
            head = await store.settle("production", None, Begin(epoch, "h0", now - 1000 * DAY_MS))
            cursor = head.cursor if head.settled else None
        flags: dict[str, dict[str, Any]] = {}
        prev = cursor.head
        for revision, (days, key, fields) in enumerate(history, start=1):
            at = now - round(days * DAY_MS)
            before = flags.get(key)
            stamps = {"updatedAt": at, "revision": revision}
            flags[key] = {"createdAt": at, **(before or {"key": key}), **fields, **stamps}
            commit = Commit(revision, prev, f"h{revision}", at, (Change("flag", key, flags[key]),))
            entry = make_entry("flag.put", Author(name="ann"), commit, [Touched("flag", key, before, flags[key])])
            assert await store.commit("production", cursor.epoch, commit, entry_data(entry)) == Accepted()
            prev = commit.head
    finally:
        await store.close()
