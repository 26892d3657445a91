"""`wigwag-server check` as it is installed: against real stores, rights, disks, certificates and proxies."""

import asyncio
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.support.nginx import running_nginx
from tests.support.processes import run_command
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import RedisServer, free_port
from tests.support.relays import relay_key
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag_proto.findings import Grade
from wigwag_proto.http_feed_io import Upstream
from wigwag_server.check.check import Wanted, check
from wigwag_server.check.machine import address, open_files
from wigwag_server.check.redis_rights import COMMANDS
from wigwag_server.settings import Listen, Settings

SCRIPTS = Path(__file__).parents[2] / "server" / "wigwag_server"
Found = dict[str, tuple[Grade, str]]


async def found(wanted: Wanted | None = None, **settings: Any) -> Found:
    """Check a server with these settings; returns grade and words by the names of the checks."""
    defaults = {"listen": Listen(port=free_port()), "data_dir": Path("data")}
    findings = await check(Settings(**{**defaults, **settings}), wanted or Wanted(streams=100))
    assert all(bool(each.mend) is (each.grade is not Grade.OK) for each in findings)
    return {each.check: (each.grade, each.what) for each in findings}


def wrong(findings: Found) -> set[str]:
    return {name for name, (grade, _) in findings.items() if grade is not Grade.OK}


async def ask(redis: Redis, *words: str) -> Any:
    return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


async def test_a_sqlite_store_is_well_before_its_first_start_and_while_a_server_runs(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'wig%20wag.db'}"  # which means something else in a URI
    assert not wrong(await found(store=store))
    async with running(store) as server:
        await server.put("checkout", enabled=True)
        port = int(server.url.rpartition(":")[2])
        findings = await found(store=store, listen=Listen(port=port))
        assert not wrong(findings)
        assert "a server runs on it" in findings["store lock"][1]
        assert "a wigwag-server listens" in findings["address"][1]
        await server.kill("checkout")
    findings = await found(store=store)
    assert not wrong(findings)
    assert "store lock" not in findings


async def test_a_damaged_sqlite_file_and_a_folder_that_cannot_be_written_to_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "wigwag.db"
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    findings = await found(store=f"sqlite:{file}")
    assert findings["store"][0] is Grade.WRONG
    findings = await found(store=f"sqlite:{file / 'below' / 'wigwag.db'}")
    assert findings["store folder"][0] is Grade.WRONG


async def test_a_redis_is_well_and_checks_leave_nothing_in_it(redis_server: RedisServer) -> None:
    findings = await found(store=redis_server.url)
    assert not wrong(findings)
    assert {"store", "store rights", "store feed", "store clock", "store persistence", "data folder"} <= findings.keys()
    async with redis_server.connection() as redis:
        assert await redis.keys() == []


async def test_a_redis_that_forgets_or_follows_another_is_told_of(own_redis: RedisServer, tmp_path: Path) -> None:
    async with own_redis.connection() as redis:
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("appendonly", "no")
        findings = await found(store=own_redis.url)
        assert wrong(findings) == {"store eviction", "store persistence"}
    async with RedisServer(tmp_path / "replica") as replica, replica.connection() as redis:
        await ask(redis, "REPLICAOF", "127.0.0.1", str(own_redis.port))
        findings = await found(store=replica.url)
        assert findings["store role"][0] is Grade.WRONG
        assert "READONLY" in findings["store rights"][1] or "read only" in findings["store rights"][1]


async def test_a_redis_that_is_away_and_a_password_that_is_wrong_are_told_apart(own_redis: RedisServer) -> None:
    findings = await found(store=f"redis://127.0.0.1:{free_port()}/0")
    assert findings["store"][0] is Grade.WRONG
    assert "cannot be used" in findings["store"][1]
    async with own_redis.connection() as redis:
        await redis.config_set("requirepass", "secret")
    findings = await found(store=own_redis.url)
    assert "does not let us in" in findings["store"][1]
    wrong_password = own_redis.url.replace("redis://", "redis://:other@")
    assert "does not let us in" in (await found(store=wrong_password))["store"][1]
    right = own_redis.url.replace("redis://", "redis://:secret@")
    assert not wrong(await found(store=right))


async def test_replicas_that_writes_wait_for_have_to_be_there(own_redis: RedisServer) -> None:
    findings = await found(store=own_redis.url, redis_wait_replicas=1)
    assert wrong(findings) == {"store replicas"}


async def test_a_cluster_is_asked_where_the_keys_are(tmp_path: Path) -> None:
    async with RedisCluster(tmp_path) as cluster:
        findings = await found(store=cluster.url)
        assert not wrong(findings) - {"store persistence"}, findings
        assert "store rights" in findings


async def test_a_relay_is_judged_by_its_upstream(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'wigwag.db'}", heartbeat_s=0.3) as server:
        findings = await found(upstream=Upstream(server.url, await relay_key(server)))
        assert not wrong(findings)
        assert "upstream heartbeats" in findings
        findings = await found(upstream=Upstream(server.url, "ww_relay_wrong"))
        assert wrong(findings) == {"upstream key"}


def commands() -> list[str]:
    """Return every command that is tried."""
    return [words.split()[0] for words in COMMANDS.replace("\n", "|").split("|") if words.split()]


@pytest.mark.parametrize("missing", ["copy", "publish", "subscribe", "evalsha", "xadd", "info", "multi"])
async def test_a_command_that_is_not_allowed_is_named(own_redis: RedisServer, missing: str) -> None:
    async with own_redis.connection() as redis:
        await ask(redis, "ACL", "SETUSER", "wigwag", "on", ">secret", "~wigwag:*", "&wigwag:*", "+@all", f"-{missing}")
    findings = await found(store=own_redis.url.replace("redis://", "redis://wigwag:secret@"))
    named = findings["store rights"][1] + findings.get("store feed", (Grade.OK, ""))[1]
    assert missing in named.lower()
    assert wrong(findings) & {"store rights", "store feed"}


async def test_the_commands_that_are_tried_are_all_that_a_server_sends(own_redis: RedisServer, tmp_path: Path) -> None:
    """A server whose user may do no more than what is tried finds nothing refused."""
    rights = ["~wigwag:*", "&wigwag:*", *(f"+{name}" for name in commands())]
    around = ("auth", "hello", "select", "eval", "evalsha", "multi", "exec", "subscribe", "unsubscribe")
    async with own_redis.connection() as redis:
        await ask(redis, "ACL", "SETUSER", "wigwag", "on", ">secret", *rights, *(f"+{name}" for name in around))
        url = own_redis.url.replace("redis://", "redis://wigwag:secret@")
        async with running(url, data_dir=tmp_path / "data") as server:
            await use(server)
        refused = await ask(redis, "ACL", "LOG")
    assert refused == []


async def use(server: Server) -> None:
    """Do what makes a server send every sort of command."""
    async with server.client(report_every_s=0.1) as flags:
        await server.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        for path in (
            "flags/checkout/history",
            "audit",
            "instances",
            "flags/checkout/metrics",
            "usage",
            "propagation/2",
        ):
            assert (await server.ask("GET", f"/admin/{path}")).status == 200, path
    await server.services.instances.roster.reap("production")


def test_every_command_of_the_scripts_is_tried() -> None:
    called = set()
    for path in SCRIPTS.rglob("*.lua"):
        called |= {part.split("'")[0] for part in path.read_text().split("redis.call('")[1:]}
    assert len(called) > 20
    assert called <= set(commands())


def test_every_command_that_is_tried_is_among_the_documented_rights() -> None:
    documented = set(re.findall(r"\+(\w+)", (SCRIPTS.parents[1] / "docs" / "redis.md").read_text(encoding="utf-8")))
    assert {name.lower() for name in commands()} <= documented


def make_certificate(folder: Path, *words: str) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=flags", *words]
    subprocess.run([*openssl, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-addext", "subjectAltName=DNS:flags.example", "-days", "90"), set()),
        (("-addext", "subjectAltName=DNS:flags.example", "-days", "3"), {"certificate"}),
        (("-days", "90"), {"certificate"}),
    ],
)
async def test_a_certificate_is_looked_at(tmp_path: Path, words: Sequence[str], expected: set[str]) -> None:
    certificate, key = make_certificate(tmp_path, *words)
    listen = Listen(port=free_port(), tls_certificate=certificate, tls_key=key)
    findings = await found(listen=listen)
    assert wrong(findings) == expected
    if not expected:
        assert "flags.example" in findings["certificate names"][1]
        key.write_text("none")
        assert (await found(listen=listen))["certificate"][0] is Grade.WRONG


async def test_a_proxy_on_the_way_is_found_out_if_there_is_a_key_to_try_it_with(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'other.db'}", heartbeat_s=0.3) as server:
        port = free_port()
        holds_back = "gzip on; gzip_types *; gzip_min_length 0; proxy_ignore_headers X-Accel-Buffering;"
        way = f"proxy_pass {server.url}; proxy_http_version 1.1;"
        http = f"server {{ listen 127.0.0.1:{port}; location / {{ {way} {holds_back} }} }}"
        async with running_nginx(tmp_path / "nginx", http, port) as url:
            assert wrong(await found(Wanted(100, url, server.key, 0.5))) == {"buffering"}
            assert wrong(await found(Wanted(100, url))) == {"buffering"}
        assert not wrong(await found(Wanted(100, server.url, server.key, 0.5)))


def test_the_limit_of_open_files_is_compared_with_the_streams_that_are_expected() -> None:
    assert open_files(100).grade is Grade.OK
    assert open_files(10**9).grade is Grade.WRONG


async def test_an_address_that_somebody_else_has_is_wrong() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        findings = await found(listen=Listen(port=server.sockets[0].getsockname()[1]))
        assert findings["address"][0] is Grade.WRONG
    assert address(Listen(host="192.0.2.1", insecure_http=True), serves_there=False).grade is Grade.WRONG


def test_the_command_takes_the_options_of_the_server_and_ends_with_1_if_something_is_wrong(tmp_path: Path) -> None:
    done = run_command("wigwag-server", "--listen", f"127.0.0.1:{free_port()}", "check", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "All well" in done.stdout
    done = run_command("wigwag-server", "check", "--json", folder=tmp_path, environ={"WIGWAG_SERVER_LISTEN": "nowhere"})
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"]) == (1, False)
    assert [each["check"] for each in answer["findings"]] == ["configuration"]
    assert "--listen 'nowhere'" in answer["findings"][0]["what"]
    assert list(tmp_path.iterdir()) == [], "a check leaves nothing behind"
    done = run_command("wigwag-server", "--listen", ":8420", "check", folder=tmp_path)
    assert done.returncode == 1
    assert "keys would travel" in " ".join(done.stdout.split())
