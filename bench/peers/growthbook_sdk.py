# mypy: disable-error-code="import-not-found"
"""GrowthBook: pure Python; an instance holds the attributes of one request."""

from typing import Any

from growthbook import GrowthBook

from bench.contest import COUNTRIES, KEYS, Contestant, without_id


def load() -> Contestant:
    """Return it, loaded."""
    condition = {"plan": "premium", "age": {"$gte": 18}, "country": {"$in": COUNTRIES}}
    features: dict[str, Any] = {key: {"defaultValue": True} for key in KEYS} | {
        "off": {"defaultValue": False},
        "rollout": {"defaultValue": False, "rules": [{"force": True, "coverage": 0.1, "hashAttribute": "id"}]},
        "rule": {"defaultValue": False, "rules": [{"force": True, "condition": {"plan": "premium"}}]},
        "hard": {
            "defaultValue": False,
            "rules": [{"force": True, "condition": condition, "coverage": 0.5, "hashAttribute": "id"}],
        },
    }
    # Kept, and given other attributes: to parse 1,000 features in each request would be our fault, not theirs.
    shared = GrowthBook(features=features)

    def ask(key: str, user: dict[str, Any]) -> bool:
        shared.set_attributes({"id": user["userId"], **without_id(user)})
        return bool(shared.is_on(key))

    known = GrowthBook(attributes={"id": "user-1234", "plan": "premium", "country": "DE", "age": 33}, features=features)
    return Contestant(
        "growthbook",
        ask,
        {"ask": known.is_on, "fresh": shared},
        "ask(FLAG)",
        "fresh.set_attributes({'id': user_id, 'plan': plan}); fresh.is_on(FLAG)",
        "fresh.set_attributes({'id': user_id, 'plan': plan, 'country': country, 'age': age}); fresh.is_on(FLAG)",
    )
