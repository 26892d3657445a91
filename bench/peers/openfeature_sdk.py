# mypy: disable-error-code="import-not-found"
"""OpenFeature with its in-memory provider: its API and hooks around evaluators written for this benchmark."""

from collections.abc import Callable
from typing import Any

import mmh3
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from bench.contest import COUNTRIES, KEYS, Contestant, without_id


def load() -> Contestant:
    """Return it, loaded."""

    def below(key: str, percentage: int) -> Callable[[Any], bool]:
        return lambda context: mmh3.hash(f"{key}:{context.targeting_key}", signed=False) % 100 < percentage

    def hard(context: Any) -> bool:
        known = context.attributes
        in_half = below("hard", 50)
        return (
            known.get("plan") == "premium"
            and known.get("age", 0) >= 18
            and known.get("country") in COUNTRIES
            and in_half(context)
        )

    def evaluator(decide: Callable[[Any], bool]) -> Any:
        return lambda flag, context: FlagResolutionDetails(value=flag.variants["on" if decide(context) else "off"])

    decisions: dict[str, Callable[[Any], bool]] = {
        "rollout": below("rollout", 10),
        "rule": lambda context: context.attributes.get("plan") == "premium",
        "hard": hard,
    }
    flags = {
        key: InMemoryFlag(
            "off" if key == "off" else "on",
            {"on": True, "off": False},
            context_evaluator=evaluator(decisions[key]) if key in decisions else None,
        )
        for key in KEYS
    }
    api.set_provider(InMemoryProvider(flags))
    client = api.get_client()

    def context(user: dict[str, Any]) -> Any:
        return EvaluationContext(user["userId"], without_id(user))

    known = context({"userId": "user-1234", "plan": "premium", "country": "DE", "age": 33})
    return Contestant(
        "openfeature",
        lambda key, user: client.get_boolean_value(key, False, context(user)),
        {"ask": client.get_boolean_value, "known": known, "Context": EvaluationContext},
        "ask(FLAG, False, known)",
        "ask(FLAG, False, Context(user_id, {'plan': plan}))",
        "ask(FLAG, False, Context(user_id, {'plan': plan, 'country': country, 'age': age}))",
        api.shutdown,
    )
