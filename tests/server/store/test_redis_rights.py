"""A server gets along with the rights that the docs tell to give it, and with no others; and over TLS."""

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tests.support.certificates import make_certificate
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import RedisServer, built_with_tls, free_port
from tests.support.sentinels import Sentinels
from tests.support.server import Server, running
from tests.support.waiting import until

PAGE = Path(__file__).parents[3] / "docs" / "redis.md"


# By which the library says its name; Redis 7.0 does not know it, and refuses a rule that names it.
LATER = "+client|setinfo"


def documented_rights() -> list[str]:
    """Return the words of the user's line in the docs."""
    line = re.search(r"^user wigwag (.+?)\n```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert line is not None
    assert LATER in PAGE.read_text()
    return line.group(1).replace("\\\n", " ").replace("PASSWORD", "secret").split()


async def ask(redis: Redis, *words: str) -> Any:
    return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


@pytest.fixture(params=["one", "cluster"])
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, list[RedisServer]]]:
    """An address, for whoever logs in there as the user of the docs, and what is behind it."""
    if request.param == "one":
        async with RedisServer(tmp_path / "redis") as redis:
            yield redis.url.replace("//", "//wigwag:secret@"), [redis]
    else:
        async with RedisCluster(tmp_path) as cluster:
            yield cluster.url.replace("//", "//wigwag:secret@"), cluster.nodes


async def test_the_documented_rights_are_enough_and_none_is_missed(
    servers: tuple[str, list[RedisServer]], tmp_path: Path
) -> None:
    url, nodes = servers
    for node in nodes:
        async with node.connection() as admin:
            await ask(admin, "ACL", "SETUSER", "wigwag", *documented_rights())
            with suppress(ResponseError):
                await ask(admin, "ACL", "SETUSER", "wigwag", LATER)
    async with running(url, data_dir=tmp_path / "data") as server:
        await _use_everything(server)
        await server.services.instances.roster.reap("production")
    for node in nodes:
        async with node.connection() as admin:
            assert await ask(admin, "ACL", "LOG") == [], "what the docs do not permit was asked for"
        async with Redis(port=node.port, username="wigwag", password="secret") as limited:
            for words in (("FLUSHALL",), ("CONFIG", "GET", "*"), ("GET", "elsewhere"), ("KEYS", "*")):
                with pytest.raises(Exception, match=r"(?i)permission"):
                    await ask(limited, *words)


async def _use_everything(server: Server) -> None:
    async with server.client(report_every_s=0.1) as flags:
        await server.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill, by the feed")
        assert (await server.ask("GET", "/admin/flags/checkout/history")).status == 200
        assert (await server.ask("GET", "/admin/audit")).status == 200
        assert (await server.ask("GET", "/admin/audit/verify")).status == 200
        assert (await server.ask("GET", "/admin/instances")).status == 200
        assert (await server.ask("GET", "/admin/flags/checkout/metrics")).status == 200
        assert (await server.ask("GET", "/admin/usage")).status == 200
        assert (await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")).status == 204


@pytest.mark.skipif(not built_with_tls(), reason="this redis-server was built without TLS")
async def test_redis_over_tls_with_certificates_on_both_sides_and_no_other_is_trusted(tmp_path: Path) -> None:
    mine, other = make_certificate(tmp_path), make_certificate(tmp_path, "other")
    port = free_port()
    async with RedisServer(tmp_path / "redis", mine.of_redis(port)):
        url = f"rediss://127.0.0.1:{port}/0"
        async with running(f"{url}?{mine.query}", data_dir=tmp_path / "data") as server:
            await _use_everything(server)
            key = server.key
        for query in (other.query, mine.query.replace(f"ssl_ca_certs={mine.chain}", f"ssl_ca_certs={other.chain}")):
            async with running(f"{url}?{query}", data_dir=tmp_path / "data", key=key, patience_s=0) as server:
                system = server.services.system
                await until(lambda: system.follower.last_error is not None, "what is wrong")  # noqa: B023
                assert system.degraded


@pytest.mark.skipif(not built_with_tls(), reason="this redis-server was built without TLS")
@pytest.mark.parametrize("kind", [Sentinels, RedisCluster])
async def test_sentinels_and_a_cluster_over_tls(tmp_path: Path, kind: type[Sentinels] | type[RedisCluster]) -> None:
    async with (
        kind(tmp_path, 0, make_certificate(tmp_path)) as redis,
        running(redis.url, data_dir=tmp_path / "data") as server,
    ):
        assert redis.url.startswith("rediss+")
        await _use_everything(server)
