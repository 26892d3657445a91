"""The demo's three flags."""

from contextlib import suppress
from typing import Any

from examples.demo.children import DemoFailed
from wigwag.cli.admin_client import AdminClient
from wigwag.cli.exits import NoSuchFlag

KILLED = "advanced_analytics"

FLAGS: dict[str, dict[str, Any]] = {
    "new_recommendation_algorithm": {
        "enabled": True,
        "rolloutPercentage": 10,
        "whitelist": ["user_123", "user_456"],
    },
    "advanced_analytics": {
        "enabled": True,
        "rules": [{"attribute": "plan", "operator": "equals", "value": "premium"}],
    },
    "experimental_feature": {
        "enabled": True,
        "rules": [{"attribute": "betaTester", "operator": "equals", "value": True}],
    },
}


async def make_flags(admin: AdminClient) -> None:
    """Make the flags.

    The store may be somebody's own: a flag of theirs that happens to have such a name is not touched. Raises
    DemoFailed for one.
    """
    there = {flag["key"] for flag in await admin.flags()} & FLAGS.keys()
    if there:
        raise DemoFailed(
            f"the store already has {' and '.join(sorted(there))}, perhaps somebody's own. "
            "Delete it, or use another Redis database."
        )
    for key, configuration in FLAGS.items():
        await admin.put(key, configuration, None)


async def delete_flags(admin: AdminClient) -> None:
    """Delete what `make_flags` has made; somebody may have been faster."""
    for key in FLAGS:
        with suppress(NoSuchFlag):
            await admin.delete(key)
