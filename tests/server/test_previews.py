"""Previews over HTTP: apps that allow it, an environment that takes samples, and what a change would do."""

from pathlib import Path
from typing import Any

from tests.support.redis_server import RedisServer
from tests.support.server import Answer, Server, running
from tests.support.waiting import until, until_async
from wigwag import FlagClient

OFTEN: dict[str, Any] = {"report_every_s": 0.02, "sample_contexts": True}


async def take_samples(server: Server, *, taken: bool = True, environment: str = "production") -> None:
    answer = await server.ask("PATCH", f"/admin/environments/{environment}", json={"sampleContexts": taken})
    assert answer.status == 200, answer
    assert answer.body["sampleContexts"] is taken


async def preview(server: Server, key: str, **body: Any) -> Answer:
    answer = await server.ask("POST", f"/admin/flags/{key}/preview", json=body)
    assert answer.status == 200, answer
    return answer


async def ask_for_a_while(server: Server, flags: FlagClient, key: str, least: int, **attributes: Any) -> None:
    """Decide for many users until the server has samples of that."""
    number = 0

    async def enough() -> bool:
        nonlocal number
        for _ in range(50):
            number += 1
            flags.is_enabled(key, user_id=f"u{number}", **attributes)
        found = await preview(server, key, patch={})
        return bool(found.body["contexts"] >= least)

    await until_async(enough, "samples of contexts")


async def test_a_change_is_previewed_on_contexts_that_were_sampled(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=0)
    await take_samples(server)
    async with server.client(**OFTEN) as flags:
        await ask_for_a_while(server, flags, "checkout", 20)
    half = (await preview(server, "checkout", patch={"rolloutPercentage": 50})).body
    assert (half["sampling"], half["unknown"], half["flag"]) == (True, 0, "checkout")
    assert 0 < half["changed"] < half["contexts"]
    on, off = half["moves"]
    assert (on["from"], on["to"], on["changed"]) == (
        {"enabled": False, "variant": None},
        {"enabled": True, "variant": None},
        True,
    )
    assert (off["changed"], on["count"] + off["count"], on["count"]) == (False, half["contexts"], half["changed"])
    assert half["detail"].startswith(f"{half['changed']} of {half['contexts']} sampled contexts would get another")
    assert half["since"] <= half["until"]
    # Nothing was written, and the same by a draft.
    assert (await server.ask("GET", "/admin/flags/checkout")).body["rolloutPercentage"] == 0
    drafted = await preview(server, "checkout", draft={"enabled": True, "rolloutPercentage": 50})
    assert drafted.body["moves"] == half["moves"]
    unknown = (await preview(server, "checkout", patch={"rules": [{"attribute": "plan", "operator": "exists"}]})).body
    assert (unknown["changed"], unknown["unknown"]) == (0, unknown["contexts"])
    assert unknown["missing"] == [{"attribute": "plan", "contexts": unknown["contexts"]}]
    await server.kill("checkout")
    killed = (await preview(server, "checkout", patch={"rolloutPercentage": 100})).body
    assert killed["changed"] == 0
    assert "is killed" in killed["detail"]


async def test_without_samples_it_says_why_there_are_none(server: Server) -> None:
    await server.put("checkout", enabled=True)
    nothing = (await preview(server, "checkout", patch={"rolloutPercentage": 5})).body
    assert (nothing["contexts"], nothing["moves"], nothing["sampling"], nothing["since"]) == (0, [], False, None)
    assert nothing["detail"].startswith("There are no samples: production takes none.")
    await take_samples(server)
    nothing = (await preview(server, "checkout", patch={"rolloutPercentage": 5})).body
    assert nothing["sampling"] is True
    assert "Only apps send some that allow it" in nothing["detail"]
    new = (await preview(server, "new", draft={"enabled": True})).body
    assert "no flag 'new' yet" in new["detail"]


async def test_no_sample_is_taken_unless_both_have_agreed(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=10)
    reports: dict[str, Any] = {"report_every_s": 0.02}

    async def counted(least: int) -> bool:
        answer = await server.ask("GET", "/admin/flags/checkout/metrics")
        return bool(answer.body["total"] >= least)

    async with server.client(**reports, sample_contexts=True) as flags:  # the environment takes none
        for round_ in range(1, 4):
            flags.is_enabled("checkout", user_id="ann")
            await until_async(lambda n=round_: counted(n), "the counts")  # type: ignore[misc]
    await take_samples(server)
    async with server.client(**reports) as flags:  # the app allows none
        for round_ in range(4, 8):
            flags.is_enabled("checkout", user_id="ann")
            await until_async(lambda n=round_: counted(n), "the counts")  # type: ignore[misc]
    assert (await preview(server, "checkout", patch={})).body["contexts"] == 0
    store = server.services.samples.store
    assert await store.read("production", "checkout") == []


async def test_an_environment_that_takes_no_more_samples_forgets_those_it_has(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=10)
    await take_samples(server)
    async with server.client(**OFTEN) as flags:
        await ask_for_a_while(server, flags, "checkout", 1)
        sampler = flags._sampler
        assert sampler is not None
        await take_samples(server, taken=False)
        await until(lambda: flags.is_enabled("checkout", user_id="x") in (True, False) and sampler.salt is None, "it")
        assert (await preview(server, "checkout", patch={})).body["contexts"] == 0


async def test_what_no_server_asked_for_is_not_taken_in(server: Server) -> None:
    await server.put("checkout", enabled=True)
    who = {"id": "instance1"}
    sample = {"flag": "checkout", "ids": {"userId": "s" + "0" * 16}}
    await take_samples(server)
    wrong = {"instance": who, "samples": [sample], "samplesKey": "00" * 32}
    assert (await server.ask("POST", "/v1/telemetry", token=server.key, json=wrong)).status == 204
    too_many = {"instance": who, "samples": [sample] * 51}
    assert (await server.ask("POST", "/v1/telemetry", token=server.key, json=too_many)).status == 422
    no_hash = {"instance": who, "samples": [{"flag": "checkout", "ids": {"userId": "ann"}}]}
    assert (await server.ask("POST", "/v1/telemetry", token=server.key, json=no_hash)).status == 422
    assert (await preview(server, "checkout", patch={})).body["contexts"] == 0


async def test_a_preview_that_cannot_be_is_refused(embedded: Server) -> None:
    await embedded.put("checkout", enabled=True)

    async def status(key: str, **body: Any) -> int:
        return (await embedded.ask("POST", f"/admin/flags/{key}/preview", json=body)).status

    assert await status("checkout") == 422
    assert await status("checkout", draft={}, patch={}) == 422
    assert await status("checkout", patch=[]) == 422
    assert await status("checkout", patch={"rolloutPercentage": 101}) == 422
    assert await status("checkout", draft={"requires": [{"flag": "nope"}]}) == 422
    assert await status("checkout", patch={}, comment="x") == 422
    assert await status("nope", patch={}) == 404
    await embedded.put("cart", requires=[{"flag": "checkout"}])
    assert (await preview(embedded, "checkout", patch={})).body["neededBy"] == ["cart"]


async def test_one_server_previews_what_apps_told_another(redis_server: RedisServer, tmp_path: Path) -> None:
    async with (
        running(redis_server.url, data_dir=tmp_path / "a") as one,
        running(redis_server.url, data_dir=tmp_path / "b", key=one.key) as other,
    ):
        await one.put("checkout", enabled=True, rolloutPercentage=0)
        await take_samples(one)
        async with one.client(**OFTEN) as flags:
            await ask_for_a_while(other, flags, "checkout", 5)
        found = (await preview(other, "checkout", patch={"rolloutPercentage": 100})).body
        assert found["changed"] == found["contexts"] >= 5
