"""What the tests of all integrations share: clients of given flags, and the outcomes that they have counted."""

from typing import Any

from wigwag import FlagClient

HALF = {"enabled": True, "rolloutPercentage": 50}
PREMIUM = {"enabled": True, "rules": [{"attribute": "plan", "operator": "equals", "value": "premium"}]}
BLUE = {"enabled": True, "variants": [{"name": "blue, or\r\nnot", "weight": 1, "value": 1}]}


def client_of(**flags: Any) -> FlagClient:
    return FlagClient.from_dict(flags)


def endings(client: FlagClient) -> dict[tuple[str, bool], tuple[int, int, int]]:
    """Return successes, errors and cancellations by flag and side, and forget them."""
    rows = client._ruleset.drain_runs()
    return {(row.flag, row.enabled): (row.successes, row.errors, row.cancelled) for row in rows}


def uses(client: FlagClient) -> dict[str, int]:
    """Return how often each flag was decided, and forget it."""
    counts = client._ruleset.drain_usage()
    return {key: sum(c.count for c in counts if c.flag == key) for key in {c.flag for c in counts}}
