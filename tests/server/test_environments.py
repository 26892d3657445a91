"""Environments come and go on every server of a store, while it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag_proto.audit import AuditQuery
from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.environments import RECORD


@dataclass(frozen=True)
class SetEnvironment:
    """Make or delete one."""

    name: str
    there: bool
    action: ClassVar[str] = "environment.test"

    def __call__(self, records: Tables, revision: int, at: int) -> list[Change]:  # noqa: ARG002
        """Return the change."""
        return [Change(RECORD, self.name, {"name": self.name} if self.there else None)]


def serves(server: Server, name: str) -> bool:
    environment = server.services.environments.get(name)
    return environment is not None and not environment.degraded


@pytest.mark.parametrize("before", [True, False])
async def test_an_environment_is_served_by_every_server_until_it_is_deleted(
    redis_server: RedisServer, tmp_path: Path, *, before: bool
) -> None:
    async with running(redis_server.url, data_dir=tmp_path / "one") as one:
        if before:
            await one.services.system.commit(SetEnvironment("staging", there=True))
        async with running(redis_server.url, data_dir=tmp_path / "two", key=one.key) as two:
            await one.services.system.commit(SetEnvironment("staging", there=True))
            await until(lambda: serves(one, "staging") and serves(two, "staging"))
            made = await one.ask("POST", "/admin/flags/checkout?environment=staging", json={"enabled": True})
            assert made.status == 201
            await until(lambda: "flag" in two.services.environments["staging"].replica.records)
            assert (await two.ask("GET", "/admin/flags/checkout")).status == 404
            await two.services.system.commit(SetEnvironment("staging", there=False))
            await until(lambda: not any("staging" in each.services.environments for each in (one, two)))
            assert (await one.ask("GET", "/admin/flags?environment=staging")).status == 404
            assert one.services.tasks.failures == two.services.tasks.failures == 0


async def test_the_audit_log_says_who_did_what_from_where(store_url: str, tmp_path: Path) -> None:
    async with running(store_url, data_dir=tmp_path / "data") as server:
        await server.put("checkout", enabled=True)
        await server.kill("checkout")
        production = server.services.environments["production"]
        kill, put = [each.entry() for each in await production.audit(AuditQuery())]
        assert (put.action, put.by, put.address) == ("flag.put", "bootstrap", "127.0.0.1")
        assert put.changes[0].before is None
        assert kill.changes[0].before == put.changes[0].after
        assert kill.changes[0].after["kill"]["by"] == "bootstrap"
        system = [each.data for each in await server.services.system.audit(AuditQuery())]
        assert b'"key.create"' in system[0]
        assert not any(b'"hash"' in data for data in system)
