"""What can be done to webhooks, as pure functions of `_system`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.environment import OUTBOX
from wigwag_server.problems import Problem
from wigwag_server.webhooks.webhook import RECORD, Webhook, read_webhook, webhook_change


@dataclass(frozen=True, slots=True)
class CreateWebhook:
    """Have events sent somewhere."""

    action: ClassVar[str] = "webhook.create"

    webhook: Webhook
    limit: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (409) when there are too many."""
        known = len(records.get(RECORD, {}))
        if known >= self.limit:
            detail = f"There are {known} webhooks already, which is the limit. Delete some."
            raise Problem(HTTPStatus.CONFLICT, detail)
        return [webhook_change(self.webhook)]


@dataclass(frozen=True, slots=True)
class EditWebhook:
    """Change some fields."""

    webhook_id: str
    fields: Mapping[str, Any]
    action: str = "webhook.edit"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (404)."""
        before = find_webhook(records, self.webhook_id)
        after = msgspec.structs.replace(before, **self.fields)
        return [webhook_change(after)] if after != before else []


@dataclass(frozen=True, slots=True)
class RotateSecret:
    """Have another secret sign; the old one signs beside it for a while."""

    action: ClassVar[str] = "webhook.rotate"

    webhook_id: str
    secret: str
    overlap_ms: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (404)."""
        before = find_webhook(records, self.webhook_id)
        until = at + self.overlap_ms
        return [
            webhook_change(
                msgspec.structs.replace(
                    before,
                    secret=self.secret,
                    previous_secret=before.secret if self.overlap_ms else "",
                    previous_until=until if self.overlap_ms else 0,
                )
            )
        ]


@dataclass(frozen=True, slots=True)
class RetryWebhook:
    """Have everything that waits sent now, and not when it would be due."""

    action: ClassVar[str] = "webhook.retry"

    webhook_id: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem: 404, 409 where nothing is sent at all."""
        before = find_webhook(records, self.webhook_id)
        if not before.active:
            detail = 'This webhook is disabled, so nothing is sent. PATCH it with {"active": true} first.'
            raise Problem(HTTPStatus.CONFLICT, detail)
        return [webhook_change(msgspec.structs.replace(before, retry_at=max(at, before.retry_at + 1)))]


@dataclass(frozen=True, slots=True)
class DeleteWebhook:
    """Send nothing there any more; what waits is dropped."""

    action: ClassVar[str] = "webhook.delete"

    webhook_id: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (404)."""
        find_webhook(records, self.webhook_id)
        waiting = self.webhook_id in records.get(OUTBOX, {})
        return [
            Change(RECORD, self.webhook_id, None),
            *([Change(OUTBOX, self.webhook_id, None)] if waiting else []),
        ]


def find_webhook(records: Tables, webhook_id: str) -> Webhook:
    """Return a webhook by its id. Raises Problem (404)."""
    webhook = read_webhook(records.get(RECORD, {}).get(webhook_id))
    if webhook is None:
        detail = "There is no webhook with this id. GET /admin/webhooks lists what there is."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return webhook
