"""`FlagClient` against a real server: what application code sees."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.redis_server import RedisServer, free_port
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag import FlagClient, RefreshFailed, Settings, Source, WigwagError, feed
from wigwag_proto.disk_io import load_snapshot
from wigwag_proto.snapshot import Emergency, Snapshot
from wigwag_proto.snapshot_file import decode_file, encode_file


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'flags.db'}"


@pytest.fixture
async def server(store_url: str) -> AsyncIterator[Server]:
    async with running(store_url) as made:
        yield made


async def test_a_client_decides_by_the_flags_of_its_environment(server: Server) -> None:
    await server.put("plain", enabled=True)
    await server.put("picky", enabled=True, rules=[{"attribute": "plan", "operator": "equals", "value": "premium"}])
    await server.put("listed", enabled=True, rolloutPercentage=0, whitelist=["u1"])
    async with server.client() as flags:
        assert flags.is_enabled("plain")
        assert flags.is_enabled("picky", user_id="u9", plan="premium")
        assert not flags.is_enabled("picky", user_id="u9", plan="free")
        assert flags.is_enabled("listed", user_id="u1")
        assert not flags.is_enabled("listed", user_id="u2")
        assert not flags.is_enabled("unknown")
        assert flags.is_enabled("unknown", default=True)
        assert flags.status.source is Source.STREAM
        assert flags.status.connected
        assert flags.status.revision == 3
        assert flags.status.age_s is not None


async def test_a_kill_arrives_and_a_revive_too(server: Server) -> None:
    await server.put("checkout", enabled=True)
    async with server.client() as flags:
        assert flags.is_enabled("checkout")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        await server.revive("checkout")
        await until(lambda: flags.is_enabled("checkout"), "the revival")
        await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
        await until(lambda: flags.is_enabled("checkout", default=False) is False, "the deletion")


async def test_changes_are_told_to_callbacks_and_iterators_in_order(server: Server) -> None:
    await server.put("checkout", enabled=True)
    seen: list[tuple[str, str]] = []
    async with server.client() as flags:
        end = flags.on_change(lambda change: seen.append((change.key, change.what)))
        changes = flags.changes()
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await server.kill("checkout")
        assert (await first).what == "killed"
        await server.revive("checkout")
        assert (await anext(changes)).what == "revived"
        end()
        await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
        last = await anext(changes)
        assert (last.what, last.after) == ("deleted", None)
        assert seen == [("checkout", "killed"), ("checkout", "revived")]
        ended = asyncio.ensure_future(anext(changes, None))
        await asyncio.sleep(0)
    assert await ended is None


async def test_a_slow_reader_of_changes_gets_the_latest_of_each_flag(server: Server) -> None:
    async with server.client() as flags:
        changes = flags.changes()
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await server.put("a", enabled=True)
        await first
        for number in range(10):
            await server.put("a", enabled=True, description=str(number))
        await server.put("b", enabled=True)
        await until(lambda: flags.status.revision == 12, "all changes")
        a, b = await anext(changes), await anext(changes)
        assert a.after is not None
        assert (a.after.description, b.key) == ("9", "b")
        await changes.aclose()


async def test_a_callback_that_fails_stops_nothing(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    async with server.client() as flags:
        flags.on_change(lambda change: seen[len(change.key)])  # type: ignore[arg-type]
        flags.on_change(lambda change: seen.append(change.key))
        await server.put("a", enabled=True)
        await until(lambda: seen == ["a"], "the second callback")
        assert flags.is_enabled("a")
        assert "callback failed" in caplog.text


async def test_a_start_without_a_server_is_quick_and_answers_with_the_defaults() -> None:
    client = FlagClient(f"http://127.0.0.1:{free_port()}", "ww_server_x", settings=Settings(cache_dir=None))
    async with asyncio.timeout(1.5), client as flags:
        assert not flags.is_enabled("checkout")
        assert flags.is_enabled("checkout", default=True)
        assert flags.status.source is Source.DEFAULTS
        assert flags.status.last_error


async def test_a_start_without_a_server_goes_by_the_last_known_snapshot(store_url: str, tmp_path: Path) -> None:
    port = free_port()
    cache = tmp_path / "cache"
    async with running(store_url, port=port) as server:
        key = server.key
        await server.put("checkout", enabled=True)
        async with server.client(cache_dir=cache) as flags:
            assert flags.is_enabled("checkout")
            await server.put("later", enabled=True)
            await until(lambda: flags.is_enabled("later"), "the change")
            await until(
                lambda: any(b"later" in path.read_bytes() for path in cache.glob("*.snapshot")), "the write to disk"
            )
    (file,) = cache.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert key.encode() not in file.read_bytes()
    patient = Settings(cache_dir=cache)
    async with FlagClient(f"http://127.0.0.1:{port}", key, settings=patient) as flags:
        assert flags.is_enabled("checkout")
        assert flags.is_enabled("later")
        assert flags.status.source is Source.LAST_KNOWN
        assert flags.status.age_s is None
        async with running(store_url, port=port) as again:
            await again.kill("checkout")
            await until(lambda: not flags.is_enabled("checkout"), "the kill made in the meantime")


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "foreign"])
async def test_a_damaged_snapshot_on_disk_is_ignored_with_a_warning(
    server: Server, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    await server.put("checkout", enabled=True)
    async with server.client(cache_dir=cache):
        await until(lambda: cache.is_dir() and any(p.suffix == ".snapshot" for p in cache.iterdir()), "the file")
    (file,) = cache.glob("*.snapshot")
    data = file.read_bytes()
    damaged = {"cut": data[:-5], "flipped": data.replace(b"true", b"tru3"), "emptied": b"", "foreign": b"PK\3\4"}
    file.write_bytes(damaged[damage])
    client = server.client(cache_dir=cache, start_timeout_s=0.0)
    await client.start()
    assert "ignoring the last known snapshot" in caplog.text
    await until(lambda: client.is_enabled("checkout"), "the server's state")
    await client.close()


async def test_a_snapshot_that_cannot_be_written_costs_a_warning_only(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    await server.put("checkout", enabled=True)
    async with server.client(cache_dir=tmp_path / "file" / "cache") as flags:
        await until(lambda: "cannot keep the last known snapshot" in caplog.text, "the warning")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_refresh_brings_the_newest_state_and_says_when_it_cannot(store_url: str) -> None:
    port = free_port()
    async with running(store_url, port=port) as server:
        await server.put("checkout", enabled=True)
        async with server.client() as flags:
            assert (await flags.refresh()).revision == 1
            await asyncio.gather(*(flags.refresh() for _ in range(5)))
        client = server.client()
        await client.start()
    with pytest.raises(RefreshFailed):
        await client.refresh()
    assert client.is_enabled("checkout")
    await client.close()


async def test_a_flag_that_does_not_exist_is_reported_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with server.client(report_unknown_s=0.02) as flags:
        for _ in range(100):
            flags.is_enabled("mispelt", default=True)
        await until(lambda: "'mispelt'" in caplog.text, "the report")
        flags.is_enabled("mispelt")
        flags.is_enabled("another")
        await until(lambda: "'another'" in caplog.text, "the second report")
        assert caplog.text.count("'mispelt'") == 1


async def test_a_wrong_key_is_told_in_the_status(server: Server) -> None:
    async with server.client("ww_server_wrong") as flags:
        assert flags.status.source is Source.DEFAULTS
        assert "not valid" in (flags.status.last_error or "")
        assert not flags.is_enabled("checkout")


async def test_url_and_key_come_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIGWAG_URL", server.url)
    monkeypatch.setenv("WIGWAG_KEY", server.key)
    await server.put("checkout", enabled=True)
    async with FlagClient(settings=Settings(cache_dir=None)) as flags:
        assert flags.is_enabled("checkout")


@pytest.mark.parametrize(("url", "key"), [("", "k"), ("http://x", ""), ("x:1", "k")])
async def test_without_a_usable_address_and_key_there_is_no_client(url: str, key: str) -> None:
    with pytest.raises(WigwagError):
        FlagClient(url, key)


async def test_the_key_is_in_no_representation(server: Server) -> None:
    async with server.client() as flags:
        assert server.key not in repr(vars(flags)) + repr(vars(flags._feed)["_upstream"])


async def test_a_client_can_be_closed_twice_and_before_it_was_started(server: Server) -> None:
    client = server.client()
    await client.close()
    await client.start()
    await client.close()
    await client.close()


async def test_two_clients_of_two_servers_on_one_redis_agree(redis_server: RedisServer, tmp_path: Path) -> None:
    one_dir, other_dir = tmp_path / "one", tmp_path / "other"
    async with (
        running(redis_server.url, data_dir=one_dir) as one,
        running(redis_server.url, data_dir=other_dir) as other,
    ):
        await one.put("checkout", enabled=True)
        async with one.client() as here, other.client() as there:
            await until(lambda: there.is_enabled("checkout"), "the flag on the other server")
            await one.kill("checkout")
            await until(lambda: not there.is_enabled("checkout") and not here.is_enabled("checkout"), "the kill")
            await other.revive("checkout")
            await until(lambda: there.is_enabled("checkout") and here.is_enabled("checkout"), "the revival")
            await until(lambda: here.status.cursor == there.status.cursor, "the same cursor")


async def test_an_emergency_on_a_slow_disk_is_in_force_although_the_server_was_faster(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server that declared it may be gone: the one that is asked now does not know of it."""
    monkeypatch.setattr(feed, "DISK_PATIENCE_S", 0.05)
    slow = threading.Event()

    def load_slowly(path: Path) -> Snapshot | None:
        found = load_snapshot(path)
        slow.wait(20.0)
        return found

    await server.put("checkout", enabled=True)
    async with server.client(cache_dir=tmp_path / "cache") as flags:
        await until(lambda: flags.is_enabled("checkout"), "the flag")
    (file,) = (tmp_path / "cache").glob("*.snapshot")
    snapshot = decode_file(file.read_bytes())
    emergency = Emergency("e1", ("checkout",), "ann", "fire", snapshot.at + 1)
    file.write_bytes(encode_file(replace(snapshot, emergencies=(emergency,))))
    monkeypatch.setattr(feed, "load_snapshot", load_slowly)
    async with server.client(cache_dir=tmp_path / "cache") as flags:
        before = flags.is_enabled("checkout")
        slow.set()
        assert before
        await until(lambda: not flags.is_enabled("checkout"), "the emergency")
