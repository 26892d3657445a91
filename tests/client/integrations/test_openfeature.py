"""wigwag as a provider of OpenFeature: what its specification leaves to the provider."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails

from tests.client.integrations.flags import HALF, PREMIUM, endings, uses
from tests.support.restartable import RestartableServer
from tests.support.server import running
from tests.support.waiting import until
from wigwag import FlagClient, Settings
from wigwag.integrations.openfeature import WigwagProvider

ON = {"enabled": True}
KILLED = {**ON, "killSwitch": True}
BLUE = {"name": "blue", "weight": 1, "value": "b"}
RED = {"name": "red", "weight": 1, "value": "r"}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    api.clear_providers()


def standard(flags: FlagClient) -> OpenFeatureClient:
    api.set_provider_and_wait(WigwagProvider(flags), "test")
    return api.get_client("test")


@pytest.mark.parametrize("flag", [KILLED, {"enabled": False}, {**ON, "blacklist": ["u"]}, {**ON, **HALF}])
def test_a_flag_that_is_off_is_false_whatever_default_is_asked_with(flag: Any) -> None:
    user = next(f"u{n}" for n in range(99) if not FlagClient.from_dict({"f": HALF}).is_enabled("f", user_id=f"u{n}"))
    client = standard(FlagClient.from_dict({"f": flag}))
    context = EvaluationContext("u" if "blacklist" in flag else user)
    assert client.get_boolean_value("f", True, context) is False
    assert client.get_string_value("f", "safe", context) == "safe"


@pytest.mark.parametrize(
    ("flag", "context", "reason", "ours"),
    [
        (ON, EvaluationContext(), "STATIC", "STATIC"),
        (KILLED, EvaluationContext(), "DISABLED", "KILLED"),
        ({}, EvaluationContext(), "DISABLED", "DISABLED"),
        ({**ON, "whitelist": ["u"]}, EvaluationContext("u"), "TARGETING_MATCH", "WHITELISTED"),
        ({**ON, "whitelist": ["u"]}, EvaluationContext("v"), "DEFAULT", "STATIC"),
        ({**ON, "blacklist": ["u"]}, EvaluationContext("u"), "TARGETING_MATCH", "BLACKLISTED"),
        (PREMIUM, EvaluationContext("u", {"plan": "premium"}), "TARGETING_MATCH", "RULE_MATCH"),
        (PREMIUM, EvaluationContext("u"), "DEFAULT", "RULE_MISMATCH"),
        (HALF, EvaluationContext("u"), "SPLIT", "ROLLOUT"),
        (HALF, EvaluationContext(), "DEFAULT", "NO_BUCKET_KEY"),
        ({**ON, "variants": [BLUE, RED]}, EvaluationContext("u"), "SPLIT", "STATIC"),
        ({**ON, "requires": [{"flag": "off"}]}, EvaluationContext("u"), "DEFAULT", "PREREQUISITE"),
    ],
)
def test_reasons_are_those_of_the_standard_and_ours_are_in_the_metadata(
    flag: Any, context: EvaluationContext, reason: str, ours: str
) -> None:
    client = standard(FlagClient.from_dict({"f": flag, "off": False}))
    if "variants" in flag:
        found: FlagEvaluationDetails[Any] = client.get_string_details("f", "", context)
    else:
        found = client.get_boolean_details("f", False, context)
    assert (found.reason, found.flag_metadata["wigwagReason"]) == (reason, ours)
    assert found.error_code is None


def test_the_metadata_of_a_flag() -> None:
    flag = {**ON, "owner": "shop", "kind": "ops", "revision": 7}
    found = standard(FlagClient.from_dict({"f": flag})).get_boolean_details("f", False)
    assert found.flag_metadata == {"wigwagReason": "STATIC", "revision": 7, "kind": "ops", "owner": "shop"}


def test_the_targeting_key_is_the_user_id_and_an_attribute_of_that_name_wins() -> None:
    client = standard(
        FlagClient.from_dict({"f": {**ON, "rules": [{"attribute": "userId", "operator": "equals", "value": "ann"}]}})
    )
    assert client.get_boolean_value("f", False, EvaluationContext("ann"))
    assert client.get_boolean_value("f", False, EvaluationContext("bob", {"userId": "ann"}))
    assert not client.get_boolean_value("f", False, EvaluationContext(""))


def test_a_flag_without_variants_has_no_value_and_one_that_picks_none_has_the_default() -> None:
    client = standard(FlagClient.from_dict({"plain": ON, "split": {**ON, "variants": [BLUE, RED]}}))
    assert client.get_string_details("plain", "d").error_code is ErrorCode.TYPE_MISMATCH
    found = client.get_string_details("split", "d")  # nobody to pick a variant for
    assert (found.value, found.error_code, found.variant) == ("d", None, None)


@pytest.mark.parametrize(("value", "kind", "gives"), [(10.0, "integer", 10), (10, "float", 10.0), ([1], "object", [1])])
def test_numbers_are_what_they_are_to_json(value: Any, kind: str, gives: Any) -> None:
    client = standard(FlagClient.from_dict({"f": {**ON, "variants": [{"name": "v", "weight": 1, "value": value}]}}))
    found = getattr(client, f"get_{kind}_value")("f", [] if kind == "object" else type(gives)(0))
    assert (found, type(found)) == (gives, type(gives))


def test_evaluations_are_counted_once_each() -> None:
    flags = FlagClient.from_dict({"f": ON, "g": {**ON, "variants": [BLUE]}})
    client = standard(flags)
    client.get_boolean_value("f", False)
    client.get_string_value("g", "x")
    client.get_string_value("g", "x")
    client.get_boolean_value("nope", True)
    assert uses(flags) == {"f": 1, "g": 2, "nope": 1}
    assert endings(flags) == {}


def test_tracking_counts_how_the_code_behind_a_flag_fared() -> None:
    flags = FlagClient.from_dict({"f": PREMIUM})
    client = standard(flags)
    premium = EvaluationContext("u", {"plan": "premium"})
    client.track("f", premium, TrackingEventDetails(attributes={"durationS": 0.3}))
    client.track("f", premium, TrackingEventDetails(99.0, {"error": True, "durationS": "soon"}))
    client.track("f")
    (on, off) = sorted(flags._ruleset.drain_runs(), key=lambda row: not row.enabled)
    assert (on.successes, on.errors, on.seconds) == (1, 1, 0.3)
    assert (off.successes, off.errors) == (1, 0)


# Events


class Heard:
    """Notes the events of a client."""

    def __init__(self, client: OpenFeatureClient) -> None:
        self.events: list[tuple[str, EventDetails]] = []
        for event in ProviderEvent:
            client.add_handler(event, partial(self._hear, event.value))

    def _hear(self, name: str, details: EventDetails) -> None:
        self.events.append((name, details))

    def names(self) -> list[str]:
        return [name.removeprefix("PROVIDER_") for name, _ in self.events]


async def test_a_commit_is_one_event_with_all_flags_that_it_changed(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        for key in ("a", "b", "c"):
            await server.put(key, enabled=True, tags=["t"])
        async with server.client() as flags:
            heard = Heard(standard(flags))
            answer = await server.ask("POST", "/admin/kill", json={"keys": ["a", "b"]})
            assert answer.status == 200, answer
            await until(lambda: "CONFIGURATION_CHANGED" in heard.names(), "the event")
            (changed,) = [d.flags_changed for name, d in heard.events if name == "PROVIDER_CONFIGURATION_CHANGED"]
            assert sorted(changed or ()) == ["a", "b"]


async def test_a_lost_server_makes_it_stale_and_its_return_ready(tmp_path: Path) -> None:
    async with RestartableServer(tmp_path / "server", "sqlite:wigwag.db") as server:
        async with server.client() as flags:
            client = standard(flags)
            heard = Heard(client)
            await server.stop()
            await until(lambda: client.get_provider_status() is ProviderStatus.STALE, "staleness")
            await server.start()
            await until(lambda: client.get_provider_status() is ProviderStatus.READY, "the return")
            await until(lambda: heard.names()[-2:] == ["STALE", "READY"], "the events")


async def test_a_provider_that_began_without_flags_gets_ready_when_they_come(tmp_path: Path) -> None:
    async with RestartableServer(tmp_path / "server", "sqlite:wigwag.db") as server:
        await server.stop()
        async with server.client() as flags:
            api.set_provider(WigwagProvider(flags), "test")
            client = api.get_client("test")
            await until(lambda: client.get_provider_status() is ProviderStatus.ERROR, "the failure")
            await server.start()
            await until(lambda: client.get_provider_status() is ProviderStatus.READY, "the flags")


async def test_a_client_that_the_app_has_started_is_left_running_by_a_shutdown(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        await server.put("f", enabled=False)
        async with server.client() as flags:
            standard(flags)
            api.clear_providers()
            await server.put("f", enabled=True)
            await until(lambda: flags.is_enabled("f"), "the change")


PROGRAM = """
import sys
from openfeature import api
from wigwag import FlagClient
from wigwag.integrations.openfeature import WigwagProvider

flags = FlagClient()
api.set_provider_and_wait(WigwagProvider(flags))
client = api.get_client()
print(client.get_provider_status().value, client.get_boolean_value("f", False), flush=True)
sys.stdin.readline()
while client.get_boolean_value("f", False):
    pass
print("killed", flush=True)
api.shutdown()
print(flags._feed.loop, flush=True)
"""


async def test_a_program_without_an_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        await server.put("f", enabled=True)
        monkeypatch.setenv("WIGWAG_URL", server.url)
        monkeypatch.setenv("WIGWAG_KEY", server.key)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"READY True\n"
        await server.kill("f")
        out, _ = await process.communicate(b"\n")
        assert out == b"killed\nNone\n"
        assert process.returncode == 0


def test_a_settled_thread_is_asked_no_further(tmp_path: Path) -> None:
    flags = FlagClient("http://127.0.0.1:9", "k", settings=Settings(cache_dir=None))
    assert flags.start_in_thread() is True
    assert flags.start_in_thread() is False
    asyncio.run(flags.close())
