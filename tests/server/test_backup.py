"""Backups and what is restored of them, with real stores of both kinds."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.processes import run_command
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag_proto.audit import AuditQuery, Author, Recorded, Touched, entry_data, make_entry
from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.replica import Replica
from wigwag_server.backup.backing_up import NotRestored, back_up, restore
from wigwag_server.backup.backup_file import BadBackup, Begun, Line, Record, Writer, check, read
from wigwag_server.backup.target import open_source, open_target
from wigwag_server.store.sqlite import StoreInUse
from wigwag_server.store.store import Accepted

STORES = ("sqlite", "redis")


@pytest.fixture
def urls(tmp_path: Path, redis_server: RedisServer, cluster: RedisCluster) -> dict[str, str]:
    return {"sqlite": f"sqlite:{tmp_path / 'flags.db'}", "redis": redis_server.url, "cluster": cluster.url}


async def filled(server: Server) -> None:
    """Make something of every sort, and an audit log of more than a page."""
    await server.put("checkout", enabled=True, rules=[], description="ünïcode 🚦")
    for number in range(3):
        await server.put("search", enabled=True, rolloutPercentage=number)
    await server.put("payments", enabled=True)
    await server.kill("payments")
    answer = await server.ask("POST", "/admin/environments", json={"name": "staging"})
    assert answer.status in (200, 201), answer


async def seen(server: Server) -> dict[str, Any]:
    """Return what people see of it."""
    flags = (await server.ask("GET", "/admin/flags")).body["flags"]
    history = (await server.ask("GET", "/admin/flags/search/history")).body
    audit = (await server.ask("GET", "/admin/audit?limit=100")).body
    return {"flags": flags, "history": history, "audit": audit}


async def back_up_to(url: str, path: Path) -> None:
    source = await open_source(url)
    try:
        await back_up(source, path)
    finally:
        await source.close()


async def restore_from(path: Path, url: str, set_aside: Path | None = None) -> None:
    target = await open_target(url)
    try:
        await restore(target, path, set_aside=set_aside)
    finally:
        await target.close()


@pytest.mark.parametrize("before", STORES)
@pytest.mark.parametrize("after", STORES)
async def test_what_was_backed_up_beside_a_running_server_comes_back_in_any_store(
    before: str, after: str, urls: dict[str, str], redis_server: RedisServer, tmp_path: Path
) -> None:
    backup = tmp_path / "flags.backup"
    async with running(urls[before], data_dir=tmp_path / "data") as server:
        await filled(server)
        shown = await seen(server)
        async with server.client() as client:
            await until(lambda: client.is_enabled("checkout"), "the client to be current")
            cursor = Cursor.parse(client.status.cursor or "")
        await back_up_to(urls[before], backup)
        await server.put("later", enabled=True)
    assert backup.stat().st_mode & 0o777 == 0o600
    await redis_server.flush()
    url = f"sqlite:{tmp_path / 'other.db'}" if after == "sqlite" else urls["redis"]
    await restore_from(backup, url)
    # With the data folder of before, which knows a later state of the old history.
    async with running(url, data_dir=tmp_path / "data", key=server.key) as again:
        assert await seen(again) == shown
        verified = await again.ask("GET", "/admin/audit/verify")
        assert verified.status == 200, verified
        async with again.client() as client:
            await until(lambda: client.is_enabled("checkout"), "the key to be known")
            assert not client.is_enabled("payments")
            now = Cursor.parse(client.status.cursor or "")
            assert now.epoch.generation > cursor.epoch.generation
        await again.put("checkout", enabled=False)  # and it can be written to


@pytest.mark.parametrize("kind", [*STORES, "cluster"])
async def test_a_client_that_holds_a_later_state_takes_the_restored_one(
    kind: str, urls: dict[str, str], redis_server: RedisServer, tmp_path: Path
) -> None:
    backup = tmp_path / "flags.backup"
    async with running(urls[kind]) as server:
        await server.put("checkout", enabled=True)
        await back_up_to(urls[kind], backup)
        await server.put("checkout", enabled=False)
        await server.put("later", enabled=True)
        async with server.client(cache_dir=tmp_path / "cache") as client:
            await until(lambda: client.is_enabled("later"), "the client to be current")
        port = int(server.url.rpartition(":")[2])
    await restore_from(backup, urls[kind], tmp_path / "aside")
    async with running(urls[kind], port=port, key=server.key) as server:
        async with server.client(cache_dir=tmp_path / "cache") as client:
            await until(lambda: client.is_enabled("checkout"), "what was restored")
            assert not client.is_enabled("later")


@pytest.mark.parametrize("kind", STORES)
async def test_a_backup_that_is_restored_twice_is_taken_twice_also_where_clocks_were_ahead(
    kind: str, urls: dict[str, str], tmp_path: Path
) -> None:
    backup = tmp_path / "flags.backup"
    with backup.open("wb") as file:
        writer = Writer(file, version="0.1.0", at=1)
        writer.write(Begun("production", Cursor(Epoch(round(time.time() * 1000) + 86_400_000, "ab"), 1, "h"), 1))
        writer.end()
    app = Replica("production")
    for number in range(3):
        await restore_from(backup, urls[kind], tmp_path / f"aside{number}")
        store = (target := await open_target(urls[kind])).store
        state = await store.load("production")
        assert state is not None
        assert app.load(state), number
        assert app.cursor is not None
        commit = Commit(2, app.cursor.head, f"h{number}", 1, (Change("flag", "later", {"enabled": True}),))
        assert isinstance(await store.commit("production", app.cursor.epoch, commit), Accepted)
        app.apply(app.cursor.epoch, commit)
        await target.close()


@pytest.mark.parametrize("kind", [*STORES, "cluster"])
async def test_nothing_is_restored_over_something_unless_asked_and_then_that_is_kept(
    kind: str, urls: dict[str, str], tmp_path: Path
) -> None:
    first, aside = tmp_path / "first", tmp_path / "aside"
    async with running(urls[kind], key="") as server:
        await server.put("old", enabled=True)
        await back_up_to(urls[kind], first)
        await server.put("new", enabled=True)
    with pytest.raises(NotRestored, match="--replace"):
        await restore_from(first, urls[kind])
    await restore_from(first, urls[kind], aside)
    assert "flag/new" not in records_of(first)
    assert {"flag/new", "flag/old"} <= records_of(aside)
    async with running(urls[kind], key="") as server:
        assert [each["key"] for each in (await seen(server))["flags"]] == ["old"]


def records_of(path: Path) -> set[str]:
    return {f"{line.kind}/{line.key}" for line in read(path) if isinstance(line, Record)}


@pytest.mark.parametrize("kind", [*STORES, "cluster"])
async def test_a_store_that_servers_follow_is_left_alone(kind: str, urls: dict[str, str], tmp_path: Path) -> None:
    backup = tmp_path / "flags.backup"
    async with running(urls[kind]) as server:
        await server.put("checkout", enabled=True)
        await back_up_to(urls[kind], backup)
        await server.put("checkout", enabled=False)
        with pytest.raises(StoreInUse if kind == "sqlite" else NotRestored):
            await restore_from(backup, urls[kind], tmp_path / "aside")
        assert (await seen(server))["flags"][0]["enabled"] is False
    assert not (tmp_path / "aside").exists()


@pytest.mark.parametrize("kind", [*STORES, "cluster"])
async def test_a_backup_that_fails_half_way_leaves_nothing(kind: str, urls: dict[str, str], tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    with bad.open("wb") as file:
        writer = Writer(file, version="0", at=1)
        writer.write(Begun("production", Cursor(Epoch(1, "e"), 1, "h"), 1))
        writer.write(Record("flag", "checkout", {"enabled": True}))
        writer.write(recorded(1))
        writer.write(Begun("staging", Cursor(Epoch(1, "e"), 1, "h"), 1))
        writer.write(recorded(1))
        writer.write(recorded(1))  # which no log can hold
        writer.end()
    check(bad)
    with pytest.raises(Exception, match=r"SQLite|Redis"):
        await restore_from(bad, urls[kind])
    source = await open_source(urls[kind])
    try:
        assert await source.environments() == ()
        assert await source.load("production") is None
        assert await source.audit("production", AuditQuery()) == ()
    finally:
        await source.close()


def recorded(sequence: int) -> Recorded:
    commit = Commit(1, "h0", "h1", 1, (Change("flag", "checkout", {"enabled": True}),))
    touched = [Touched("flag", "checkout", None, {"enabled": True})]
    return Recorded(sequence, "0" * 40, entry_data(make_entry("flag.create", Author(name="ann"), commit, touched)))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[:-20], "damaged"),
        (lambda data: data.rpartition(b'{"end"')[0], "cut short"),
        (lambda data: data + b"{}\n", "after it"),
        (lambda data: data.replace(b"checkout", b"checkoot", 1), "checksum"),
        (lambda _: b"", "no backup"),
        (lambda _: b'{"flags":{}}\n', "no backup"),
        (lambda data: data.replace(b'"format":1', b'"format":2', 1), "that release"),
    ],
)
async def test_a_file_that_is_no_whole_backup_is_refused_and_nothing_touched(
    spoil: Any, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "flags.backup"
    with path.open("wb") as file:
        writer = Writer(file, version="0.1.0", at=1)
        writer.write(Begun("production", Cursor(Epoch(1, "e"), 1, "h"), 1))
        writer.write(Record("flag", "checkout", {"enabled": True}))
        writer.end()
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadBackup, match=said):
        await restore_from(path, f"sqlite:{tmp_path / 'flags.db'}")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.dictionaries(text, text | st.none() | st.booleans())
lines = st.one_of(
    st.builds(
        Record, st.sampled_from(["flag", "segment"]), text, st.dictionaries(text, text | st.none() | st.booleans())
    ),
    st.builds(Recorded, st.integers(1, 2**53), text, st.binary(max_size=50) | text.map(str.encode)),
    st.builds(Begun, text, st.just(Cursor(Epoch(1, "ab"), 1, "h")), st.integers(0, 2**53)),
)


@given(st.lists(lines))
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, written: list[Line]) -> None:
    file = io.BytesIO()
    writer = Writer(file, version="0.1.0", at=7)
    for line in written:
        writer.write(line)
    writer.end()
    path = tmp_path_factory.mktemp("backup") / "file"
    path.write_bytes(file.getvalue())
    assert check(path) == 7
    assert list(read(path)) == written


async def test_by_command(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'flags.db'}"
    async with running(store) as server:
        await server.put("checkout", enabled=True)
        done = run_command("wigwag-server", "--store", store, "backup", "flags.backup", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "2 logs" in done.stdout
    refused = run_command("wigwag-server", "--store", store, "restore", "flags.backup", folder=tmp_path)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    replaced = run_command("wigwag-server", "--store", store, "restore", "--replace", "flags.backup", folder=tmp_path)
    assert (replaced.returncode, replaced.stderr) == (0, "")
    assert "flags.backup.replaced-" in replaced.stdout
    other = run_command("wigwag-server", "--store", "sqlite:new.db", "restore", "flags.backup", folder=tmp_path)
    assert (other.returncode, other.stderr) == (0, "")
    async with running(f"sqlite:{tmp_path / 'new.db'}", key=server.key) as server:
        assert [each["key"] for each in (await seen(server))["flags"]] == ["checkout"]
    missing = run_command("wigwag-server", "--store", "sqlite:new.db", "restore", "nothing", folder=tmp_path)
    assert missing.returncode == 1
    assert "nothing" in missing.stderr
