"""Which event an entry of the audit log is for a webhook."""

from typing import Any

import pytest

from wigwag_proto.audit import Entry, Touched
from wigwag_server.webhooks.events import events_of
from wigwag_server.webhooks.webhook import Webhook

WEBHOOK = Webhook(id="w", url="https://example.com", secret="s")
KILL = {"by": "wigwag", "reason": "too many errors", "at": 1}


def flag(percentage: float = 100, kill: Any = None) -> dict[str, Any]:
    return {"key": "checkout", "enabled": True, "rolloutPercentage": percentage, "kill": kill}


@pytest.mark.parametrize(
    ("action", "before", "after", "told"),
    [
        ("flag.put", None, flag(), "change"),
        ("flag.kill", flag(), flag(kill=KILL), "kill"),
        ("flag.revive", flag(kill=KILL), flag(), "revive"),
        ("rollout.advance", flag(1), flag(10), "rollout-step"),
        ("rollout.rollback", flag(10), flag(0), "rollback"),
        ("rollout.kill", flag(10), flag(10, KILL), "kill"),
        ("guard.kill", flag(), flag(kill=KILL), "kill"),
    ],
)
def test_what_is_done_to_a_flag_is_told_as_what_it_is(action: str, before: Any, after: Any, told: str) -> None:
    changes = (Touched("flag", "checkout", before, after), Touched("rollout", "checkout", {}, {}))
    entry = Entry(revision=2, head="h", at=1, action=action, by="wigwag", changes=changes)
    (event,) = events_of("production", entry, WEBHOOK)
    assert event.type == told
    assert event.keys == ("checkout",)
