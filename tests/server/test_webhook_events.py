"""Which event an entry of the audit log is for a webhook."""

from typing import Any

import msgspec
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
    (event,) = [each for each in events_of("production", entry, WEBHOOK, {}) if each.type != "guardrail"]
    assert event.type == told
    assert event.keys == ("checkout",)


@pytest.mark.parametrize(
    ("action", "did", "also"),
    [
        ("rollout.breach", "paused", []),
        ("rollout.rollback", "rolledBack", ["rollback"]),
        ("rollout.kill", "killed", ["kill"]),
        ("guard.kill", "killed", ["kill"]),
        ("guard.would-kill", "nothing", []),
    ],
)
def test_what_a_guard_found_is_told_whatever_it_did(action: str, did: str, also: list[str]) -> None:
    changes = [Touched(action.partition(".")[0], "checkout", {}, {})]
    if also:
        kill = KILL if also == ["kill"] else None
        changes.append(Touched("flag", "checkout", flag(10), flag(0, kill)))
    why = "50 of 1,000 runs failed"
    entry = Entry(revision=2, head="h", at=1, action=action, by="wigwag", comment=why, changes=tuple(changes))
    event, *others = events_of("production", entry, WEBHOOK, {})
    assert (event.type, event.keys, event.detail) == ("guardrail", ("checkout",), {"did": did})
    assert event.reason.startswith(f"{why}: ")
    assert [each.type for each in others] == also


def test_a_breach_that_leaves_the_flag_alone_is_told_to_whom_the_tags_of_the_flag_concern() -> None:
    paused = (Touched("rollout", "checkout", {}, {}),)
    entry = Entry(revision=2, head="h", at=1, action="rollout.breach", by="wigwag", changes=paused)
    flags = {"checkout": {**flag(), "tags": ["payments"]}}
    shop, payments = (msgspec.structs.replace(WEBHOOK, tags=(tag,)) for tag in ("shop", "payments"))
    assert events_of("production", entry, shop, flags) == []
    assert [each.type for each in events_of("production", entry, payments, flags)] == ["guardrail"]


def test_a_pause_by_hand_is_no_breach() -> None:
    paused = (Touched("rollout", "checkout", {}, {}),)
    entry = Entry(revision=2, head="h", at=1, action="rollout.pause", by="ann", changes=paused)
    assert events_of("production", entry, WEBHOOK, {}) == []
