"""What every client promises, whatever its flags come from: a server, a dict, a file, or a test."""

import asyncio
import inspect
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag import Context, FlagClient, RefreshFailed, Settings, Source, Variant
from wigwag.bound import BoundFlags
from wigwag.testing import FakeFlags
from wigwag_proto.ruleset import FlagChange, What

PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}
BLUE = {"name": "blue", "weight": 1, "value": {"color": "#00f"}}
FLAGS: dict[str, Any] = {
    "on": {"enabled": True},
    "off": {"enabled": False},
    "dead": {"enabled": True, "killSwitch": True},
    "premium": {"enabled": True, "rules": [PREMIUM]},
    "half": {"enabled": True, "rolloutPercentage": 50},
    "button": {"enabled": True, "variants": [BLUE]},
    "needs": {"enabled": True, "requires": [{"flag": "premium"}]},
    "staff": {"enabled": True, "rules": [{"attribute": "userId", "operator": "inSegment", "value": "staff"}]},
}
SEGMENTS = {"staff": {"include": ["ann"]}}


@dataclass
class Subject:
    """A started client, and how its flags are changed; None: they never are."""

    flags: FlagClient
    source: Source
    put: Callable[[str, Any], Awaitable[None]] | None = None

    async def change(self, key: str, body: Any) -> None:
        assert self.put is not None, "these flags do not change"
        await self.put(key, body)


async def of_server(folder: Path) -> AsyncGenerator[Subject]:
    async with running(f"sqlite:{folder}/wigwag.db") as server:
        for key, body in SEGMENTS.items():
            assert (await server.ask("POST", f"/admin/segments/{key}", json=body)).status in (200, 201)
        for key, body in FLAGS.items():
            await server.put(key, **body)
        async with server.client() as flags:
            yield Subject(flags, Source.STREAM, lambda key, body: put_or_delete(server, key, body))


async def put_or_delete(server: Server, key: str, body: Any) -> None:
    if body is None:
        assert (await server.ask("DELETE", f"/admin/flags/{key}?confirm={key}")).status == 204
    else:
        await server.put(key, **body)


async def of_dict(folder: Path) -> AsyncGenerator[Subject]:
    async with FlagClient.from_dict(FLAGS, segments=SEGMENTS) as flags:
        yield Subject(flags, Source.LOCAL)


async def of_file(folder: Path) -> AsyncGenerator[Subject]:
    path, now = folder / "flags.json", dict(FLAGS)

    async def put(key: str, body: Any) -> None:
        now.update({key: body})
        document = {"flags": {k: b for k, b in now.items() if b is not None}, "segments": SEGMENTS}
        path.write_text(json.dumps(document))

    await put("on", FLAGS["on"])
    settings = Settings(cache_dir=None, flag_file_every_s=0.01)
    async with FlagClient.from_file(path, settings=settings) as flags:
        yield Subject(flags, Source.LOCAL, put)


async def of_test(folder: Path) -> AsyncGenerator[Subject]:
    async with FakeFlags(FLAGS, segments=SEGMENTS) as flags:

        async def put(key: str, body: Any) -> None:
            flags.set({key: body})

        yield Subject(flags, Source.LOCAL, put)


@pytest.fixture(params=[of_server, of_dict, of_file, of_test], ids=lambda make: make.__name__)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Subject]:
    async for subject in request.param(tmp_path):
        yield subject


@pytest.fixture(params=[of_server, of_file, of_test], ids=lambda make: make.__name__)
async def changing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Subject]:
    """Those whose flags change."""
    async for subject in request.param(tmp_path):
        yield subject


def test_a_fake_has_every_public_method_with_the_same_signature() -> None:
    for name, member in vars(FlagClient).items() | vars(FlagClient.__base__).items():
        if name.startswith("_") or not callable(member):
            continue
        assert inspect.signature(member) == inspect.signature(getattr(FakeFlags, name)), name
        assert inspect.iscoroutinefunction(member) == inspect.iscoroutinefunction(getattr(FakeFlags, name)), name


async def test_decisions(subject: Subject) -> None:
    flags = subject.flags
    half = [f"u{n}" for n in range(50)]
    expected = [user for user in half if FlagClient.from_dict({"half": FLAGS["half"]}).is_enabled("half", user_id=user)]
    assert flags.is_enabled("on")
    assert not flags.is_enabled("off", default=True)
    assert not flags.is_enabled("dead", default=True)
    assert flags.is_enabled("nope", default=True)
    assert flags.is_enabled("premium", plan="premium")
    assert flags.is_enabled("needs", Context("u", plan="premium"))
    assert not flags.is_enabled("needs")
    assert flags.is_enabled("staff", user_id="ann")
    assert not flags.is_enabled("staff", user_id="bob")
    assert 0 < len(expected) < 50
    assert [user for user in half if flags.is_enabled("half", user_id=user)] == expected
    assert flags.variant("button") == Variant("blue", {"color": "#00f"})
    assert flags.value("button", default=0) == {"color": "#00f"}
    assert flags.value("off", default="code") == "code"
    assert flags.explain("dead").reason.value == "KILLED"
    assert flags.explain("nope", default=True).enabled
    assert flags.all().keys() == FLAGS.keys()


async def test_a_binding_decides_as_the_client_does(subject: Subject) -> None:
    context = Context("ann", plan="premium")
    for bound in (
        subject.flags.bind(context),
        subject.flags.watch(context),
        subject.flags.bind(user_id="ann", plan="premium"),
    ):
        assert isinstance(bound, BoundFlags)
        for key in FLAGS:
            assert bound.is_enabled(key) is subject.flags.is_enabled(key, context)
            assert bound.variant(key) == subject.flags.variant(key, context)
            assert bound.explain(key) == subject.flags.explain(key, context)
        assert bound.all() == subject.flags.all(context)


async def test_status(subject: Subject) -> None:
    status = subject.flags.status
    assert status.source is subject.source
    assert status.connected is (subject.source is Source.STREAM)
    assert status.revision is not None
    assert status.age_s is not None
    assert status.age_s < 60
    assert (status.last_error, status.unreadable, status.disk_error) == (None, {}, None)


async def test_refresh_returns_the_status(subject: Subject) -> None:
    assert (await subject.flags.refresh()).source is subject.source
    await subject.flags.close()
    with pytest.raises(RefreshFailed):
        await subject.flags.refresh()


async def test_a_change_takes_effect_and_is_told_everywhere(changing: Subject) -> None:
    told: list[FlagChange] = []
    end = changing.flags.on_change(told.append)
    changes = changing.flags.changes()
    bound = changing.flags.bind()
    await changing.change("off", {"enabled": True})
    change = await anext(changes)
    assert (change.key, change.what) == ("off", What.UPDATED)
    await until(lambda: told == [change], "the callback")
    assert changing.flags.is_enabled("off")
    assert not bound.is_enabled("off")
    await changing.change("fresh", {"enabled": True})
    assert (await anext(changes)).what is What.CREATED
    await until(lambda: len(told) == 2, "the callback")
    end()
    await changing.change("fresh", None)
    assert (await anext(changes)).what is What.DELETED
    await asyncio.sleep(0)
    assert [each.key for each in told] == ["off", "fresh"]
    await changing.flags.close()
    with pytest.raises(StopAsyncIteration):
        await anext(changes)


async def test_a_kill_pierces_a_binding(changing: Subject) -> None:
    bound = changing.flags.bind()
    assert bound.is_enabled("on")
    await changing.change("on", {"enabled": True, "killSwitch": True})
    await until(lambda: not bound.is_enabled("on"), "the kill")
    assert not changing.flags.is_enabled("on")


async def test_uses_and_runs_are_counted(subject: Subject) -> None:
    flags = subject.flags
    flags.is_enabled("on")
    flags.track("on", error=True)
    with flags.guard("on"), flags.watch() as watched:
        watched.is_enabled("on")
    assert [(c.flag, c.count) for c in flags._ruleset.drain_usage()] == [("on", 2)]
    (row,) = flags._ruleset.drain_runs()
    assert (row.flag, row.successes, row.errors) == ("on", 2, 1)


async def test_it_is_closed_twice_and_started_again(subject: Subject) -> None:
    flags = subject.flags
    await flags.start()
    await flags.close()
    await flags.close()
    assert flags.is_enabled("on")
    async with flags:
        assert flags.status.source is subject.source
        if subject.put is not None:
            await subject.change("off", {"enabled": True})
            await until(lambda: flags.is_enabled("off"), "the change")


async def test_it_says_when_what_it_goes_by_is_another(subject: Subject) -> None:
    end = subject.flags.on_status(lambda _: None)
    end()
    end()
