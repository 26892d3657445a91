# mypy: disable-error-code="import-not-found"
"""Statsig: a Rust core; a StatsigUser can be kept."""

import json
from typing import Any

from statsig_python_core import Statsig, StatsigOptions, StatsigUser
from statsig_python_core.data_store import DataStore, DataStoreResponse

from bench.contest import COUNTRIES, KEYS, Contestant


def load() -> Contestant:
    """Return it, loaded."""
    conditions: dict[str, Any] = {}

    def condition(kind: str, operator: str | None = None, target: Any = None, field: str | None = None) -> str:
        name = f"condition-{len(conditions)}"
        conditions[name] = {
            "type": kind,
            "operator": operator,
            "targetValue": target,
            "field": field,
            "additionalValues": {},
            "idType": "userID",
        }
        return name

    everyone = condition("public")
    plan = condition("user_field", "any", ["premium"], "plan")
    hard = [plan, condition("user_field", "gte", 18, "age"), condition("user_field", "any", COUNTRIES, "nation")]

    def gate(key: str) -> dict[str, Any]:
        rule = {
            "name": "rule",
            "groupName": "rule",
            "id": f"{key}-rule",
            "salt": key,
            "passPercentage": {"rollout": 10, "hard": 50}.get(key, 100),
            "conditions": {"rule": [plan], "hard": hard}.get(key, [everyone]),
            "returnValue": True,
            "idType": "userID",
        }
        return {
            "type": "feature_gate",
            "entity": "feature_gate",
            "salt": key,
            "enabled": key != "off",
            "defaultValue": False,
            "idType": "userID",
            "version": 1,
            "rules": [] if key == "off" else [rule],
        }

    specs = {
        "feature_gates": {key: gate(key) for key in KEYS},
        "dynamic_configs": {},
        "layer_configs": {},
        "layers": {},
        "condition_map": conditions,
        "id_lists": {},
        "has_updates": True,
        "time": 1700000000000,
        "experiment_to_layer": {},
        "sdk_configs": {},
        "response_format": "dcs-v2",
    }

    class Specs(DataStore):  # type: ignore[misc]  # the SDK is not installed where this is checked
        def get(self, key: str) -> Any:  # noqa: ARG002
            return DataStoreResponse(result=json.dumps(specs), time=1700000000000)

    client = Statsig(
        "secret-bench",
        StatsigOptions(
            data_store=Specs(),
            disable_network=True,
            disable_all_logging=True,
            disable_country_lookup=True,
            disable_disk_access=True,
            output_log_level="none",
        ),
    )
    client.initialize().wait()

    def person(user: dict[str, Any]) -> Any:
        # A field of its own, for `country` is one that Statsig fills itself.
        custom = {"plan": user["plan"], "nation": user["country"], "age": user["age"]}
        return StatsigUser(user_id=user["userId"], custom=custom)

    known = person({"userId": "user-1234", "plan": "premium", "country": "DE", "age": 33})
    return Contestant(
        "statsig",
        lambda key, user: client.check_gate(person(user), key),
        {"ask": client.check_gate, "known": known, "User": StatsigUser},
        "ask(known, FLAG)",
        "ask(User(user_id=user_id, custom={'plan': plan}), FLAG)",
        "ask(User(user_id=user_id, custom={'plan': plan, 'nation': country, 'age': age}), FLAG)",
        lambda: client.shutdown().wait(),
    )
