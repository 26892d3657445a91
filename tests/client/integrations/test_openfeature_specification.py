"""The scenarios of OpenFeature's own Gherkin suites (evaluation v2, hooks, context merging, metadata), as tables.

The suites ask a provider for flags that are told in a table of their own; here the same flags stand in wigwag's model.
What cannot be run, and why, is in docs/openfeature.md:

* the reason CACHED: nothing is cached, since every decision is made anew;
* a provider that is FATAL: no answer of a server is final to wigwag, it always tries again;
* flag metadata: wigwag's flags have no free metadata. What there is in its place is tested beside this file.
"""

import asyncio
import copy
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagEvaluationOptions
from openfeature.hook import Hook, HookContext, HookHints
from openfeature.provider import ProviderStatus
from openfeature.transaction_context import (
    ContextVarsTransactionContextPropagator,
    set_transaction_context,
    set_transaction_context_propagator,
)

from tests.support.server import running
from tests.support.waiting import until
from wigwag import FlagClient, Settings
from wigwag.integrations.openfeature import WigwagProvider

OBJECT = {"showImages": True, "title": "Harbour", "imagesPerPage": 100}
TARGETED = [{"attribute": "email", "operator": "equals", "value": "ann@inside.example"}]
INTERNAL = [
    *TARGETED,
    {"attribute": "customer", "operator": "equals", "value": False},
    {"attribute": "age", "operator": "greaterThan", "value": 10},
]


def flag(chosen: str, variants: dict[str, Any], *, enabled: bool = True, **more: Any) -> dict[str, Any]:
    weighed = [{"name": n, "value": v, "weight": 1 if n == chosen else 0} for n, v in variants.items()]
    return {"enabled": enabled, "variants": weighed, **more}


def targeted(variants: dict[str, Any]) -> dict[str, Any]:
    """Zero for whom it is meant, and zero for everybody else."""
    zero = [{"name": "zero", "weight": 1, "value": variants["zero"]}]
    return flag("zero", variants, overrides=[{"name": "inside", "rules": TARGETED, "variants": zero}])


KINDS: dict[str, tuple[str, dict[str, Any], Any, Any]] = {
    "boolean": ("on", {"on": True, "off": False}, False, True),
    "string": ("greeting", {"greeting": "hi", "parting": "bye"}, "", "str"),
    "integer": ("ten", {"one": 1, "ten": 10}, 0, 1),
    "float": ("half", {"tenth": 0.1, "half": 0.5}, 0.0, 1.0),
    "object": ("template", {"empty": {}, "template": OBJECT}, {}, OBJECT),
}
FLAGS: dict[str, Any] = {
    "wrong-flag": flag("one", {"one": "uno", "two": "dos"}),
    "complex-targeted": flag(
        "external",
        {"internal": "INTERNAL", "external": "EXTERNAL"},
        overrides=[
            {"name": "internal", "rules": INTERNAL, "variants": [{"name": "i", "weight": 1, "value": "INTERNAL"}]}
        ],
    ),
}
for name, (chosen, variants, zero, other) in KINDS.items():
    FLAGS[f"{name}-flag"] = flag(chosen, variants)
    FLAGS[f"{name}-disabled-flag"] = flag(chosen, variants, enabled=False)
    FLAGS[f"{name}-zero-flag"] = flag("zero", {"zero": zero, "non-zero": other})
    FLAGS[f"{name}-targeted-zero-flag"] = targeted({"zero": zero, "non-zero": other})

DEFAULTS: dict[str, Any] = {"boolean": False, "string": "bye", "integer": 1, "float": 0.1, "object": {"a": 1}}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    api.clear_providers()
    api.clear_hooks()
    api.set_evaluation_context(EvaluationContext())


@pytest.fixture
def client() -> OpenFeatureClient:
    api.set_provider_and_wait(WigwagProvider(FlagClient.from_dict(FLAGS)), "spec")
    return api.get_client("spec")


async def details(
    client: OpenFeatureClient,
    kind: str,
    key: str,
    default: Any,
    context: dict[str, Any] | None = None,
    options: Any = None,
) -> FlagEvaluationDetails[Any]:
    """Evaluate both ways, which must agree."""
    given = (key, default, EvaluationContext(attributes=context or {}), options)
    direct = getattr(client, f"get_{kind}_details")(*given)
    awaited = await getattr(client, f"get_{kind}_details_async")(*given)
    assert direct == awaited
    assert isinstance(direct, FlagEvaluationDetails)
    return direct


@EACH_KIND
async def test_resolve_values_with_complete_details(client: OpenFeatureClient, kind: str) -> None:
    chosen, variants, _, _ = KINDS[kind]
    found = await details(client, kind, f"{kind}-flag", DEFAULTS[kind])
    assert (found.value, found.variant, found.reason) == (variants[chosen], chosen, "STATIC")
    assert (found.flag_key, found.error_code) == (f"{kind}-flag", None)
    assert type(found.value) is type(variants[chosen])
    assert getattr(client, f"get_{kind}_value")(f"{kind}-flag", DEFAULTS[kind]) == variants[chosen]


@EACH_KIND
async def test_resolves_zero_value(client: OpenFeatureClient, kind: str) -> None:
    found = await details(client, kind, f"{kind}-zero-flag", KINDS[kind][3])
    assert (found.value, found.reason, found.variant) == (KINDS[kind][2], "STATIC", "zero")


@EACH_KIND
@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({"email": "ann@inside.example"}, "TARGETING_MATCH"),
        ({"email": "bob@outside.example"}, "DEFAULT"),
        ({"email": None}, "DEFAULT"),
        ({}, "DEFAULT"),
    ],
)
async def test_resolves_zero_value_with_targeting(
    client: OpenFeatureClient, kind: str, context: dict[str, Any], reason: str
) -> None:
    found = await details(client, kind, f"{kind}-targeted-zero-flag", KINDS[kind][3], context)
    assert (found.value, found.reason) == (KINDS[kind][2], reason)


@EACH_KIND
async def test_flag_not_found(client: OpenFeatureClient, kind: str) -> None:
    found = await details(client, kind, "non-existent-flag", DEFAULTS[kind])
    assert (found.value, found.reason, found.error_code) == (DEFAULTS[kind], "ERROR", ErrorCode.FLAG_NOT_FOUND)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("boolean", "string-flag"),
        ("string", "boolean-flag"),
        ("integer", "boolean-flag"),
        ("float", "boolean-flag"),
        ("object", "boolean-flag"),
        ("integer", "wrong-flag"),
        ("integer", "float-flag"),
    ],
)
async def test_type_mismatch(client: OpenFeatureClient, kind: str, key: str) -> None:
    found = await details(client, kind, key, DEFAULTS[kind])
    assert (found.value, found.reason, found.error_code) == (DEFAULTS[kind], "ERROR", ErrorCode.TYPE_MISMATCH)


@EACH_KIND
async def test_disabled(client: OpenFeatureClient, kind: str) -> None:
    found = await details(client, kind, f"{kind}-disabled-flag", DEFAULTS[kind])
    assert (found.value, found.reason, found.error_code) == (DEFAULTS[kind], "DISABLED", None)


async def test_multiple_context_attributes(client: OpenFeatureClient) -> None:
    context = {"email": "ann@inside.example", "role": "admin", "age": 65, "customer": False}
    found = await details(client, "string", "complex-targeted", "default", context)
    assert (found.value, found.reason) == ("INTERNAL", "TARGETING_MATCH")
    assert (await details(client, "string", "complex-targeted", "default", {})).value == "EXTERNAL"


async def test_an_evaluation_leaves_its_context_as_it_is(client: OpenFeatureClient) -> None:
    context = EvaluationContext("u", {"email": "x", "list": [1, {"a": 2}]})
    before = copy.deepcopy(context)
    client.get_boolean_details("boolean-flag", False, context)
    assert context == before


async def test_an_async_evaluation_does_not_wait(client: OpenFeatureClient) -> None:
    asking = client.get_boolean_details_async("boolean-flag", False)
    with pytest.raises(StopIteration) as done:
        asking.send(None)  # one step: it never gives control away
    assert done.value.value.value is True


# Hooks


class Noting(Hook):
    """Notes what it is called with."""

    def __init__(self, name: str, order: list[str], adds: dict[str, Any] | None = None) -> None:
        self.name, self.order, self.adds = name, order, adds or {}
        self.calls: dict[str, Any] = {}

    def before(self, hook_context: HookContext, hints: HookHints) -> EvaluationContext | None:  # noqa: ARG002
        self.order.append(f"{self.name} before")
        self.calls["before"] = hints
        return EvaluationContext(attributes=self.adds) if self.adds else None

    def after(self, hook_context: HookContext, details: Any, hints: HookHints) -> None:  # noqa: ARG002
        self.order.append(f"{self.name} after")
        self.calls["after"] = details

    def error(self, hook_context: HookContext, exception: Exception, hints: HookHints) -> None:  # noqa: ARG002
        self.calls["error"] = exception

    def finally_after(self, hook_context: HookContext, details: Any, hints: HookHints) -> None:  # noqa: ARG002
        self.calls["finally"] = details


@pytest.mark.parametrize(
    ("kind", "key", "default", "value", "variant", "reason", "error"),
    [
        ("boolean", "boolean-flag", False, True, "on", "STATIC", None),
        ("string", "missing-flag", "uh-oh", "uh-oh", None, "ERROR", ErrorCode.FLAG_NOT_FOUND),
        ("boolean", "wrong-flag", False, False, None, "ERROR", ErrorCode.TYPE_MISMATCH),
    ],
)
def test_hooks_get_the_details(
    client: OpenFeatureClient, kind: str, key: str, default: Any, value: Any, variant: Any, reason: str, error: Any
) -> None:
    hook = Noting("client", [])
    client.add_hooks([hook])
    getattr(client, f"get_{kind}_details")(key, default)
    assert hook.calls.keys() == ({"before", "error", "finally"} if error else {"before", "after", "finally"})
    for name in {"after", "finally"} & hook.calls.keys():
        found = hook.calls[name]
        assert (found.flag_key, found.value, found.variant) == (key, value, variant)
        assert (found.reason, found.error_code) == (reason, error)


def test_hooks_of_all_levels_run_in_order() -> None:
    order: list[str] = []
    levels = {name: Noting(name, order) for name in ("api", "client", "call", "provider")}
    provider = WigwagProvider(FlagClient.from_dict(FLAGS), hooks=[levels["provider"]])
    api.set_provider_and_wait(provider, "spec")
    api.add_hooks([levels["api"]])
    client = api.get_client("spec")
    client.add_hooks([levels["client"]])
    options = FlagEvaluationOptions(hooks=[levels["call"]], hook_hints={"hint": "h"})
    client.get_boolean_details("boolean-flag", False, flag_evaluation_options=options)
    assert order == [*(f"{name} before" for name in levels), *(f"{name} after" for name in reversed(levels))]
    assert levels["provider"].calls["before"] == {"hint": "h"}


# Context merging

LEVELS = ("API", "Transaction", "Client", "Invocation", "Before Hooks")


@pytest.fixture
def transactions() -> Iterator[None]:
    set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    yield
    set_transaction_context(EvaluationContext())


def is_merged(contexts: dict[str, dict[str, Any]], expected: dict[str, Any]) -> bool:
    """Return whether a provider decides by this context, when each of these levels has its entries."""
    rules = [{"attribute": key, "operator": "equals", "value": value} for key, value in expected.items()]
    provider = WigwagProvider(FlagClient.from_dict({"some-flag": {"enabled": True, "rules": rules}}))
    api.set_provider_and_wait(provider, "merge")
    api.set_evaluation_context(EvaluationContext(attributes=contexts.get("API", {})))
    set_transaction_context(EvaluationContext(attributes=contexts.get("Transaction", {})))
    client = api.get_client("merge")
    client.context = EvaluationContext(attributes=contexts.get("Client", {}))
    client.add_hooks([Noting("client", [], contexts.get("Before Hooks"))])
    return client.get_boolean_value("some-flag", False, EvaluationContext(attributes=contexts.get("Invocation", {})))


@pytest.mark.parametrize("level", LEVELS)
def test_a_context_entry_of_one_level(transactions: None, level: str) -> None:
    assert is_merged({level: {"key": "value"}}, {"key": "value"})
    assert not is_merged({level: {"key": "value"}}, {"key": "another"})


def test_context_entries_of_all_levels(transactions: None) -> None:
    entries = {level: {level: f"{level} value"} for level in LEVELS}
    assert is_merged(entries, {level: f"{level} value" for level in LEVELS})


@pytest.mark.parametrize("last", range(len(LEVELS)))
def test_a_higher_level_overwrites_the_entry_of_a_lower_one(transactions: None, last: int) -> None:
    entries = {level: {"key": level} for level in LEVELS[: last + 1]}
    for level in LEVELS:
        assert is_merged(entries, {"key": level}) is (level == LEVELS[last])


# The status of a provider


def test_a_stable_provider_is_ready(client: OpenFeatureClient) -> None:
    assert client.get_provider_status() is ProviderStatus.READY


@pytest.fixture
async def silent() -> AsyncGenerator[str]:
    """A server that takes connections and never answers."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@EACH_KIND
async def test_a_provider_that_is_not_ready_gives_the_default(silent: str, kind: str) -> None:
    waiting = FlagClient(silent, "key", settings=Settings(cache_dir=None, start_timeout_s=30))
    api.set_provider(WigwagProvider(waiting), "spec")
    client = api.get_client("spec")
    assert client.get_provider_status() is ProviderStatus.NOT_READY
    found = await details(client, kind, f"{kind}-flag", DEFAULTS[kind])
    assert (found.value, found.reason, found.error_code) == (DEFAULTS[kind], "ERROR", ErrorCode.PROVIDER_NOT_READY)
    await waiting.close()


async def test_a_provider_without_any_flags_has_failed() -> None:
    api.set_provider(WigwagProvider(FlagClient("http://127.0.0.1:9", "k", settings=Settings(cache_dir=None))))
    await until(lambda: api.get_client().get_provider_status() is ProviderStatus.ERROR, "the error")


async def test_a_provider_that_goes_by_what_is_on_disk_is_stale(tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache")
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        await server.put("boolean-flag", **FLAGS["boolean-flag"])
        url, key = server.url, server.key
        async with FlagClient(url, key, settings=settings):
            pass
    away = FlagClient(url, key, settings=settings)
    api.set_provider(WigwagProvider(away), "spec")
    client = api.get_client("spec")
    await until(lambda: client.get_provider_status() is ProviderStatus.STALE, "staleness")
    assert client.get_boolean_value("boolean-flag", False) is True
    await away.close()
