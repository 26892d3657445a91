"""Servers on a Redis Cluster: each environment is on one of its nodes, and it does not matter on which."""

from pathlib import Path

import pytest
from redis.crc import key_slot

from tests.support.redis_cluster import RedisCluster, ask
from tests.support.redis_server import RedisServer
from tests.support.server import running
from tests.support.waiting import until, until_async
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.store.from_url import UnknownStore, open_store
from wigwag_server.store.redis_cluster import nodes_of, owner_of

ASKED = ("10.0.0.9", 7000)


async def test_servers_share_a_cluster_whose_environments_are_on_several_nodes(
    cluster: RedisCluster, tmp_path: Path
) -> None:
    assert cluster.primary_of("production") is not cluster.primary_of("staging")
    async with (
        running(cluster.url, data_dir=tmp_path / "one") as one,
        running(cluster.url, data_dir=tmp_path / "two", key=one.key) as two,
        two.client(report_every_s=0.1) as flags,
    ):
        await one.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag, by the feed of another server")
        revision = (await one.kill("checkout"))["revision"]
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        assert two.services.environments["production"].follower.missed == 0

        async def confirmed() -> bool:
            found = (await one.ask("GET", f"/admin/propagation/{revision}")).body
            return bool(found["complete"] and found["instances"] == 1)

        while not await confirmed():
            pass
        while (await one.ask("GET", "/admin/flags/checkout/metrics")).body["total"] == 0:
            pass
        assert (await one.ask("GET", "/admin/audit/verify")).body["intact"]
        assert (await one.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
        await until(lambda: "staging" in two.services.environments, "the environment")
        await until(lambda: not two.services.environments["staging"].degraded, "its node")
        assert (await two.ask("POST", "/admin/flags/beta?environment=staging", json={})).status == 201
        assert (await one.ask("GET", "/admin/flags/beta?environment=staging")).status == 200


async def test_all_keys_of_an_environment_are_in_one_slot(cluster: RedisCluster, tmp_path: Path) -> None:
    async with running(cluster.url, data_dir=tmp_path / "data") as server:
        await server.put("search", enabled=True)
        await server.kill("search")

        async def keys() -> set[bytes]:
            return {key for node in cluster.nodes for key in await ask(node, "KEYS", "wigwag:*")}

        wanted = {b"wigwag:{production}:state", b"wigwag:{production}:servers"}

        async def there() -> bool:
            return wanted <= await keys()

        await until_async(there, "the log and the roster")
        found = await keys()
    of_production = {key for key in found if key.startswith(b"wigwag:{production}:")}
    assert {key_slot(key) for key in of_production} == {key_slot(b"{production}")}
    assert {key for key in found if b"{" not in key} == {b"wigwag:environments"}


async def test_a_slot_that_is_moved_to_another_node_is_followed_there(cluster: RedisCluster, tmp_path: Path) -> None:
    async with running(cluster.url, data_dir=tmp_path / "data") as server, server.client() as flags:
        await server.put("moved", enabled=True)
        await until(lambda: flags.is_enabled("moved"), "the flag")
        await _move(cluster, "production")

        async def killed() -> bool:
            return (await server.ask("POST", "/admin/flags/moved/kill")).status == 200

        while not await killed():
            pass
        await until(lambda: not flags.is_enabled("moved"), "the kill")
        replica = server.services.environments["production"].replica
        await until(lambda: not replica.emergencies, "what was killed meanwhile to be in the log")


async def _move(cluster: RedisCluster, environment: str) -> None:
    """Move an environment's slot to another node, key by key, as `redis-cli --cluster reshard` does."""
    slot = key_slot(f"{{{environment}}}".encode())
    source = cluster.primary_of(environment)
    target = next(node for node in cluster.nodes if node is not source)
    ids = {node: (await ask(node, "CLUSTER", "MYID")).decode() for node in cluster.nodes}
    await ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    await ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    while keys := await ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 1):
        await ask(source, "MIGRATE", "127.0.0.1", target.port, keys[0], 0, 1000)
    for node in (target, source, *cluster.nodes):
        await ask(node, "CLUSTER", "SETSLOT", slot, "NODE", ids[target])


async def test_a_node_that_says_what_was_is_not_asked_again_and_again(cluster: RedisCluster) -> None:
    slot = key_slot(b"{staging}")
    owner = (await _owners(cluster, slot))[0]
    wrong, liar = (node for node in cluster.nodes if node is not owner)
    wrong_id = (await ask(wrong, "CLUSTER", "MYID")).decode()
    # This is its own view alone, until it hears from the owner again.
    await ask(liar, "CLUSTER", "SETSLOT", slot, "NODE", wrong_id)
    store = await open_store(f"redis+cluster://127.0.0.1:{liar.port},127.0.0.1:{owner.port}")
    with pytest.raises(StoreUnavailable, match="elsewhere"):
        await store.head("staging")
    assert await store.head("staging") is not None
    await store.close()


async def _owners(cluster: RedisCluster, slot: int) -> list[RedisServer]:
    """Return the nodes, the one that has a slot first."""
    told = await ask(cluster.nodes[0], "CLUSTER", "SLOTS")
    address = owner_of(slot, told, ("127.0.0.1", cluster.nodes[0].port))
    assert address is not None
    return sorted(cluster.nodes, key=lambda node: node.port != address[1])


@pytest.mark.parametrize("url", ["redis+cluster://", "redis+cluster://a:b", "redis+cluster://a:1/1"])
async def test_an_address_of_a_cluster_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(UnknownStore):
        await open_store(url)


def test_who_has_a_slot_is_read_from_what_a_node_says() -> None:
    ranges = [[0, 99, [b"10.0.0.1", 7001, b"id"], [b"10.0.0.2", 7002, b"id"]], [100, 199, [b"", 7003, b"id"]]]
    assert owner_of(99, ranges, ASKED) == ("10.0.0.1", 7001)
    assert owner_of(100, ranges, ASKED) == ("10.0.0.9", 7003)
    assert owner_of(200, ranges, ASKED) is None
    assert owner_of(5, [[0, 9, [b"?", 7001, b"id"]]], ASKED) is None
    assert list(nodes_of(ranges, ASKED)) == [("10.0.0.1", 7001), ("10.0.0.2", 7002), ("10.0.0.9", 7003)]
