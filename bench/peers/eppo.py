# mypy: disable-error-code="import-not-found"
"""Eppo: a Rust core; subject and attributes are given in each call."""

import json
from typing import Any

from eppo_client import AssignmentLogger, ClientConfig, Configuration, init

from bench.contest import COUNTRIES, KEYS, NOWHERE, Contestant, without_id


def load() -> Contestant:
    """Return it, loaded."""
    plan = {"attribute": "plan", "operator": "ONE_OF", "value": ["premium"]}
    age = {"attribute": "age", "operator": "GTE", "value": 18}
    country = {"attribute": "country", "operator": "ONE_OF", "value": COUNTRIES}

    def flag(key: str) -> dict[str, Any]:
        share = {"rollout": 1000, "hard": 5000}.get(key)
        conditions = {"rule": [plan], "hard": [plan, age, country]}.get(key, [])
        shards = [] if share is None else [{"salt": key, "ranges": [{"start": 0, "end": share}]}]
        allocation = {
            "key": "all",
            "rules": [{"conditions": conditions}] if conditions else [],
            "splits": [{"variationKey": "on", "shards": shards}],
            "doLog": False,
        }
        return {
            "key": key,
            "enabled": key != "off",
            "variationType": "BOOLEAN",
            "variations": {"on": {"key": "on", "value": True}, "off": {"key": "off", "value": False}},
            "totalShards": 10000,
            "allocations": [allocation],
        }

    plain = {
        "createdAt": "2026-01-01T00:00:00Z",
        "format": "SERVER",
        "environment": {"name": "bench"},
        "flags": {key: flag(key) for key in KEYS},
    }
    client = init(
        ClientConfig(
            api_key="bench",
            base_url=NOWHERE,
            assignment_logger=AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=Configuration(flags_configuration=json.dumps(plain).encode()),
        )
    )
    known = {"plan": "premium", "country": "DE", "age": 33}
    return Contestant(
        "eppo",
        lambda key, user: client.get_boolean_assignment(key, user["userId"], without_id(user), False),
        {"ask": client.get_boolean_assignment, "known": known},
        "ask(FLAG, user_id, known, False)",
        "ask(FLAG, user_id, {'plan': plan}, False)",
        "ask(FLAG, user_id, {'plan': plan, 'country': country, 'age': age}, False)",
    )
