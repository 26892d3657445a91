"""Sentinels are asked for the primary of Redis."""

import asyncio
import re
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.support.redis_server import free_port
from tests.support.sentinels import SERVICE, Sentinels
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.store.from_url import UnknownStore, open_store, without_passwords
from wigwag_server.store.redis_sentinel import Sentinels as Asked

PAGE = Path(__file__).parents[3] / "docs" / "redis.md"


async def test_no_sentinel_is_forgotten_when_many_ask_while_one_is_away(tmp_path: Path) -> None:
    async with Sentinels(tmp_path, replicas=0) as redis:
        ports = [free_port(), *redis.ports[1:]]  # nothing listens on the first
        at_once = {"retry": Retry(NoBackoff(), 0)}
        asked = Asked([("127.0.0.1", port) for port in ports], sentinel_kwargs=at_once)  # type: ignore[no-untyped-call]
        found = await asyncio.gather(*(asked.discover_master(SERVICE) for _ in range(20)))
        assert {port for _, port in found} == {redis.servers[0].port}
        assert {each.connection_pool.connection_kwargs["port"] for each in asked.sentinels} == set(ports)
        await asked.aclose()


async def test_sentinels_that_ask_for_a_password_are_content_with_the_documented_rights(tmp_path: Path) -> None:
    rights = re.search(r"user of the Sentinels needs `(.+?)`", PAGE.read_text())
    assert rights is not None
    async with Sentinels(tmp_path, replicas=0) as redis:
        for port in redis.ports:
            async with Redis(port=port) as sentinel:
                words = ("ACL", "SETUSER", "asker", "on", ">secret", *rights.group(1).split())
                await sentinel.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        for password, well in (("secret", True), ("wrong", False)):
            store = await open_store(f"{redis.url}?sentinel_username=asker&sentinel_password={password}")
            if well:
                assert (await store.head("production")).cursor is None
            else:
                with pytest.raises(StoreUnavailable, match=r"WRONGPASS|No master found"):
                    await store.head("production")
            await store.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://",
        "redis+sentinel://a:b/flags/0",
        "redis+sentinel://a:1/flags/x",
        "redis+sentinel://a:1/flags/0/1",
        "redis+sentinel://a:1",
    ],
)
async def test_an_address_of_sentinels_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(UnknownStore):
        await open_store(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:wigwag.db", "sqlite:wigwag.db"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://me:p@ss@h:1/0", "redis://…@h:1/0"),
        ("redis+sentinel://:p@a:1,b:2/flags?sentinel_password=p", "redis+sentinel://…@a:1,b:2/flags?…"),
    ],
)
def test_the_address_of_a_store_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert without_passwords(url) == shown
