"""How a webhook fares, in a word: of what waits, and of what became of the latest events. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from wigwag_server.webhooks.queue import Item, Sent
from wigwag_server.webhooks.webhook import Webhook


class State(StrEnum):
    """What becomes of events for a webhook."""

    DELIVERING = "delivering"
    FAILING = "failing"
    DISABLED = "disabled"


class Standing(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How it fares."""

    state: Annotated[
        State, Meta(description="`failing`: the latest attempt was in vain. `disabled`: it is not `active`.")
    ]
    waiting: Annotated[int, Meta(description="How many events wait to be sent.")]
    last_delivered_at: Annotated[int | None, Meta(description="Of the latest events; null where none was delivered.")]
    last_error: Annotated[str, Meta(description="Why the latest attempt was in vain; empty where it was not.")]
    next_attempt_at: Annotated[int | None, Meta(description="When what failed is sent again.")]


def standing(webhook: Webhook, waiting: Sequence[Item], recent: Sequence[Sent]) -> Standing:
    """Return how a webhook fares. `recent` has the newest first."""
    failed = [item for item in waiting if item.attempts]
    error = failed[0].error if failed else "" if not recent or recent[0].delivered else recent[0].error
    delivered = [each.ended_at for each in recent if each.delivered]
    state = State.FAILING if error else State.DELIVERING
    return Standing(
        state=state if webhook.active else State.DISABLED,
        waiting=len(waiting),
        last_delivered_at=max(delivered, default=None),
        last_error=error,
        next_attempt_at=min((item.due_at for item in failed), default=None) if webhook.active else None,
    )
