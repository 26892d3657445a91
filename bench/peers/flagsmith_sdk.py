# mypy: disable-error-code="import-not-found"
"""Flagsmith: pure Python; decides all flags of an identity in one go, and answers single ones from the result.

To ask that result again is no decision, so `bound` prepares the traits alone.
"""

from typing import Any

from flagsmith import Flagsmith

from bench.contest import COUNTRIES, KEYS, Contestant, without_id


def load() -> Contestant:
    """Return it, loaded."""

    def condition(name: str, operator: str, value: str) -> dict[str, str]:
        return {"property_": name, "operator": operator, "value": value}

    def state(key: str, *, enabled: bool) -> dict[str, Any]:
        return {
            "enabled": enabled,
            "feature": {"id": KEYS.index(key) + 1, "name": key, "type": "STANDARD"},
            "feature_state_value": None,
            "featurestate_uuid": f"00000000-0000-0000-0000-{KEYS.index(key):012}",
            "multivariate_feature_state_values": [],
            "feature_segment": None,
        }

    plan = condition("plan", "EQUAL", "premium")
    hard = [
        plan,
        condition("age", "GREATER_THAN_INCLUSIVE", "18"),
        condition("country", "IN", ",".join(COUNTRIES)),
        condition("", "PERCENTAGE_SPLIT", "50"),
    ]
    wanted = {"rollout": [condition("", "PERCENTAGE_SPLIT", "10")], "rule": [plan], "hard": hard}
    segments = [
        {
            "id": number,
            "name": key,
            "rules": [{"type": "ALL", "conditions": conditions, "rules": []}],
            "feature_states": [state(key, enabled=True)],
        }
        for number, (key, conditions) in enumerate(wanted.items(), 1)
    ]
    environment = {
        "api_key": "bench",
        "name": "bench",
        "feature_states": [state(key, enabled=key not in ("off", *wanted)) for key in KEYS],
        "identity_overrides": [],
        "project": {"id": 1, "name": "bench", "segments": segments},
    }

    class Offline:
        def get_environment(self) -> Any:
            return environment

    client = Flagsmith(offline_mode=True, offline_handler=Offline())
    known = {"plan": "premium", "country": "DE", "age": 33}
    return Contestant(
        "flagsmith",
        lambda key, user: client.get_identity_flags(user["userId"], without_id(user)).is_feature_enabled(key),
        {"known": known, "flags_of": client.get_identity_flags},
        "flags_of(user_id, known).is_feature_enabled(FLAG)",
        "flags_of(user_id, {'plan': plan}).is_feature_enabled(FLAG)",
        "flags_of(user_id, {'plan': plan, 'country': country, 'age': age}).is_feature_enabled(FLAG)",
    )
