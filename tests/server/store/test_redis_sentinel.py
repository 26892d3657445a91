"""Sentinels are asked for the primary of Redis."""

import asyncio
from pathlib import Path

import pytest

from tests.support.redis_server import free_port
from tests.support.sentinels import SERVICE, Sentinels
from wigwag_server.store.from_url import UnknownStore, open_store
from wigwag_server.store.redis_sentinel import Sentinels as Asked


async def test_no_sentinel_is_forgotten_when_many_ask_while_one_is_away(tmp_path: Path) -> None:
    async with Sentinels(tmp_path, replicas=0) as redis:
        ports = [free_port(), *redis.ports[1:]]  # nothing listens on the first
        asked = Asked([("127.0.0.1", port) for port in ports])  # type: ignore[no-untyped-call]
        found = await asyncio.gather(*(asked.discover_master(SERVICE) for _ in range(20)))
        assert {port for _, port in found} == {redis.servers[0].port}
        assert {each.connection_pool.connection_kwargs["port"] for each in asked.sentinels} == set(ports)
        await asked.aclose()


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
