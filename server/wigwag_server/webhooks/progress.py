"""How far the webhooks are, as `_system` holds it: who sends, where in the audit logs, and what waits.

One server sends for all. It says so in a record with a term, and each of its writes holds only under that term: one
that was suspended and comes back writes nothing, and learns that another has taken its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.errors import WigwagError
from wigwag_proto.snapshot import Tables
from wigwag_server.environment import OUTBOX
from wigwag_server.webhooks.queue import Queue
from wigwag_server.webhooks.webhook import RECORD

SENDER = "sender"


class NotMine(WigwagError):
    """Another server sends now. Nothing was written."""


class Place(msgspec.Struct, frozen=True):
    """Up to where an audit log was read: the last entry, its link, and its time."""

    sequence: int = 0
    link: str = ""
    at: int = 0


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends (`server` is its id, empty for nobody), and how far it is.

    `seen` is the revision of each environment up to which the audit log was read, `idle` whether nothing waits. `beat`
    makes each writing of it differ from the one before.
    """

    server: str = ""
    term: int = 0
    beat: int = 0
    idle: bool = True
    seen: dict[str, int] = {}
    places: dict[str, Place] = {}

    def has_all(self, latest: Mapping[str, int]) -> bool:
        """Say whether nothing is left to do. `latest` is the revision of the latest change of each environment."""
        return self.idle and all(revision <= self.seen.get(name, 0) for name, revision in latest.items())


@dataclass(frozen=True, slots=True)
class SaveProgress:
    """Write how far it is, if the sender that is written there is still the `expected` one (server, term)."""

    action: ClassVar[str] = "outbox.save"

    expected: tuple[str, int]
    sender: Sender
    queues: Mapping[str, Any]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises NotMine."""
        written = read_sender(records)
        if (written.server, written.term) != self.expected:
            raise NotMine(f"server {written.server} sends the webhooks")
        known, before = records.get(RECORD, {}), records.get(OUTBOX, {})
        return [
            Change(OUTBOX, SENDER, msgspec.to_builtins(self.sender)),
            *(
                Change(OUTBOX, key, queue)
                for key, queue in self.queues.items()
                if key in known and before.get(key) != queue
            ),
        ]


def read_sender(system: Tables) -> Sender:
    """Return who sends."""
    return _read(system.get(OUTBOX, {}).get(SENDER), Sender) or Sender()


def read_queue(system: Tables, webhook_id: str) -> Queue:
    """Return what waits for a webhook."""
    return _read(system.get(OUTBOX, {}).get(webhook_id), Queue) or Queue()


def _read(plain: Any, kind: Any) -> Any:
    try:
        return None if plain is None else msgspec.convert(plain, kind)
    except msgspec.ValidationError:
        return None
