# mypy: disable-error-code="import-not-found"
"""LaunchDarkly: pure Python; a Context can be kept."""

from typing import Any

from ldclient import Config, Context, LDClient
from ldclient.feature_store import InMemoryFeatureStore
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

from bench.contest import COUNTRIES, KEYS, Contestant


def load() -> Contestant:
    """Return it, loaded."""
    plan = {"attribute": "plan", "op": "in", "values": ["premium"]}
    age = {"attribute": "age", "op": "greaterThanOrEqual", "values": [18]}
    country = {"attribute": "country", "op": "in", "values": COUNTRIES}

    def flag(key: str) -> dict[str, Any]:
        share = {"rollout": 10_000, "hard": 50_000}.get(key)
        on: dict[str, Any] = {"variation": 0}
        if share is not None:
            weights = [{"variation": 0, "weight": share}, {"variation": 1, "weight": 100_000 - share}]
            on = {"rollout": {"variations": weights}}
        clauses = {"rule": [plan], "hard": [plan, age, country]}.get(key, [])
        return {
            "key": key,
            "version": 1,
            "on": key != "off",
            "variations": [True, False],
            "offVariation": 1,
            "salt": key,
            "fallthrough": {"variation": 1} if clauses else on,
            "rules": [{"id": "rule", "clauses": clauses, **on}] if clauses else [],
        }

    store = InMemoryFeatureStore()
    store.init({FEATURES: {key: flag(key) for key in KEYS}, SEGMENTS: {}})
    config = Config("bench", feature_store=store, use_ldd=True, send_events=False, diagnostic_opt_out=True)
    client = LDClient(config)

    def context(user: dict[str, Any]) -> Any:
        builder = Context.builder(user["userId"])
        return builder.set("plan", user["plan"]).set("country", user["country"]).set("age", user["age"]).build()

    known = context({"userId": "user-1234", "plan": "premium", "country": "DE", "age": 33})
    return Contestant(
        "launchdarkly",
        lambda key, user: client.variation(key, context(user), False),
        {"ask": client.variation, "known": known, "builder": Context.builder},
        "ask(FLAG, known, False)",
        "ask(FLAG, builder(user_id).set('plan', plan).build(), False)",
        "ask(FLAG, builder(user_id).set('plan', plan).set('country', country).set('age', age).build(), False)",
        client.close,
    )
