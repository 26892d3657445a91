"""What a release is recorded with: a store with something of every sort in it, and what apps decide by it."""

from collections.abc import Mapping
from typing import Any

from tests.support.server import Server
from wigwag import FlagClient

RULES = {
    "equals": "pro",
    "notEquals": "free",
    "in": ["pro", "team"],
    "notIn": ["free"],
    "contains": "r",
    "startsWith": "p",
    "endsWith": "o",
    "greaterThan": 1,
    "greaterThanOrEqual": 1,
    "lessThan": 9,
    "lessThanOrEqual": 9,
    "before": "2030-01-01T00:00:00Z",
    "after": "2020-01-01T00:00:00Z",
    "semverEquals": "1.2.3",
    "semverGreaterThan": "1.0.0",
    "semverLessThan": "2.0.0",
    "exists": True,
}
CONTEXTS: tuple[Mapping[str, Any], ...] = (
    {},
    {"user_id": "ann", "plan": "pro", "count": 5, "at": "2026-01-01T00:00:00Z", "version": "1.2.3"},
    {"user_id": "bob", "plan": "free", "count": 1, "at": "2019-01-01T00:00:00Z", "version": "0.9.0"},
    *({"user_id": f"user-{number}", "plan": "team"} for number in range(20)),
)
ATTRIBUTES = {"greaterThan": "count", "lessThan": "count", "before": "at", "after": "at", "semver": "version"}


async def fill(server: Server) -> None:
    """Make flags with everything that a flag can have, and all other kinds of records."""
    await ask(server, "POST", "/admin/segments/staff", {"include": ["ann"], "exclude": ["bob"]})
    for operator, value in RULES.items():
        attribute = next((name for begin, name in ATTRIBUTES.items() if operator.startswith(begin)), "plan")
        rule = {"attribute": attribute, "operator": operator, "value": value}
        await server.put(f"rule_{operator.lower()}", enabled=True, rules=[rule])
    segment = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await server.put("for_staff", enabled=True, rules=[segment])
    await server.put("plain", enabled=True, description="ünïcode 🚦", owner="ann", kind="release", tags=["a", "b"])
    await server.put("off", enabled=False)
    await server.put("lists", enabled=True, rolloutPercentage=0, whitelist=["ann"], blacklist=["bob"])
    await server.put("some", enabled=True, rolloutPercentage=33.3)
    await server.put(
        "colour",
        enabled=True,
        rolloutPercentage=50,
        variants=[{"name": "red", "weight": 1, "value": {"hex": "#f00"}}, {"name": "blue", "weight": 3, "value": 2}],
        overrides=[{"name": "staff", "rules": [segment], "variants": [{"name": "blue", "weight": 1, "value": 2}]}],
    )
    await server.put("needs", enabled=True, requires=[{"flag": "plain"}, {"flag": "colour", "variant": "blue"}])
    await server.put("careful", enabled=True, failSafeAfter=10**9)
    for key in ("killed", "old", "ramped", "revived"):
        await server.put(key, enabled=True, rolloutPercentage=0 if key == "ramped" else 100)
    await server.kill("killed")
    await server.kill("revived")
    await server.revive("revived")
    await ask(server, "POST", "/admin/flags/old/archive", {})
    await ask(server, "POST", "/admin/flags/ramped/rollout", {"stages": [1, 10, 100], "interval": "1h"})
    await ask(server, "POST", "/admin/flags/ramped/guard", {"maxErrorRate": 0.05, "dryRun": True})
    await ask(server, "POST", "/admin/schedules", {"flag": "off", "what": "kill", "at": "2090-01-31T22:00"})
    await ask(server, "POST", "/admin/environments", {"name": "staging"})
    await ask(
        server, "POST", "/admin/webhooks", {"url": "https://hooks.example.invalid/wigwag", "events": ["emergency"]}
    )


async def ask(server: Server, method: str, path: str, body: Any) -> Any:
    """Ask for what must be granted."""
    answer = await server.ask(method, path, json=body)
    assert answer.status in (200, 201), (path, answer)
    return answer.body


def decisions(client: FlagClient) -> dict[str, list[list[Any]]]:
    """Return what a client decides on each flag, for each context."""
    found: dict[str, list[list[Any]]] = {}
    for context in CONTEXTS:
        given = dict(context)
        for key, decision in client.all(user_id=given.pop("user_id", None), **given).items():
            variant = decision.variant.name if decision.variant else None
            found.setdefault(key, []).append([decision.enabled, decision.reason.value, variant])
    return found
