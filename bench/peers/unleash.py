# mypy: disable-error-code="import-not-found"
"""Unleash: a Rust engine behind Python; the context is a dict of strings given in each call."""

import tempfile
from typing import Any

from UnleashClient import UnleashClient
from UnleashClient.cache import FileCache

from bench.contest import COUNTRIES, KEYS, NOWHERE, Contestant


def load() -> Contestant:
    """Return it, loaded."""
    plan = {"contextName": "plan", "operator": "IN", "values": ["premium"]}
    age = {"contextName": "age", "operator": "NUM_GTE", "value": "18"}
    country = {"contextName": "country", "operator": "IN", "values": COUNTRIES}

    def flag(key: str) -> dict[str, Any]:
        share = {"rollout": "10", "hard": "50"}.get(key)
        parameters = {} if share is None else {"rollout": share, "stickiness": "userId", "groupId": key}
        strategy = {
            "name": "default" if share is None else "flexibleRollout",
            "parameters": parameters,
            "constraints": {"rule": [plan], "hard": [plan, age, country]}.get(key, []),
        }
        return {"name": key, "type": "release", "enabled": key != "off", "strategies": [strategy]}

    folder = tempfile.TemporaryDirectory(prefix="wigwag-bench-")
    cache = FileCache("bench", directory=folder.name)
    cache.bootstrap_from_dict({"version": 2, "features": [flag(key) for key in KEYS]})
    client = UnleashClient(NOWHERE, "bench", cache=cache, disable_metrics=True, disable_registration=True)
    client.initialize_client(fetch_toggles=False)

    def close() -> None:
        client.destroy()
        folder.cleanup()

    known = {"userId": "user-1234", "plan": "premium", "country": "DE", "age": "33"}
    return Contestant(
        "unleash",
        lambda key, user: client.is_enabled(key, {**user, "age": str(user["age"])}),
        {"ask": client.is_enabled, "known": known},
        "ask(FLAG, known)",
        "ask(FLAG, {'userId': user_id, 'plan': plan})",
        "ask(FLAG, {'userId': user_id, 'plan': plan, 'country': country, 'age': str(age)})",
        close,
    )
