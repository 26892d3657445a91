"""Several kills lifted at once: all of them in one revision, or none."""

from pathlib import Path
from typing import Any

import pytest

from tests.server.test_operations import token_of
from tests.support.server import Server
from tests.support.waiting import until
from wigwag_server.auth.rights import Role, Scope

KEYS = ("cart", "checkout", "search")


@pytest.fixture
async def killed(server: Server) -> Server:
    """A server with three flags, all of them killed."""
    for key in KEYS:
        await server.put(key, enabled=True, rolloutPercentage=40)
        await server.kill(key)
    return server


async def kills(server: Server) -> dict[str, bool]:
    listed = (await server.ask("GET", "/admin/flags")).body["flags"]
    return {each["key"]: each["kill"] is not None for each in listed}


async def revive(server: Server, body: Any, **options: Any) -> Any:
    return await server.ask("POST", "/admin/revive", json=body, **options)


async def test_several_kills_are_lifted_in_one_revision_and_what_was_under_them_is_in_force(killed: Server) -> None:
    async with killed.client() as app:
        assert not app.is_enabled("cart")
        before = killed.services.environments["production"].replica.cursor
        done = await revive(killed, {"keys": ["cart", "search", "cart"], "comment": "mended"})
        assert done.status == 200, done
        assert [(each["key"], each["kill"], each["rolloutPercentage"]) for each in done.body["flags"]] == [
            ("cart", None, 40),
            ("search", None, 40),
        ]
        after = killed.services.environments["production"].replica.cursor
        assert before is not None
        assert after is not None
        assert after.revision == before.revision + 1
        await until(lambda: app.explain("cart", userId="u1").reason.value == "ROLLOUT")
    assert await kills(killed) == {"cart": False, "checkout": True, "search": False}
    (entry,) = (await killed.ask("GET", "/admin/audit?limit=1")).body["entries"]
    assert (entry["action"], entry["comment"], len([c for c in entry["changes"] if c["kind"] == "flag"])) == (
        "flag.revive",
        "mended",
        2,
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"keys": ["cart", "chekout"]}, 404),
        ({"keys": []}, 422),
        ({"keys": "cart"}, 422),
        ({"keys": ["cart"], "reason": "it is well"}, 422),
        ({}, 422),
    ],
)
async def test_where_something_is_wrong_none_is_revived(killed: Server, body: Any, status: int) -> None:
    assert (await revive(killed, body)).status == status
    assert all((await kills(killed)).values())


async def test_a_trial_says_what_would_come_back_and_revives_nothing(killed: Server) -> None:
    for tried in (await revive(killed, {"keys": ["cart"], "dryRun": True}), await _trial(killed)):
        assert [(each["key"], each["what"]) for each in tried.body["changes"]] == [("cart", "revived")]
    assert all((await kills(killed)).values())


async def _trial(server: Server) -> Any:
    return await server.ask("POST", "/admin/revive?dryRun=true", json={"keys": ["cart"]})


async def test_a_token_revives_only_what_is_within_its_limits(killed: Server, tmp_path: Path) -> None:
    limited = await token_of(killed, Role.EDITOR, Scope(flags=("cart",)))
    assert (await revive(killed, {"keys": ["cart", "search"]}, token=limited)).status == 403
    operator = await token_of(killed, Role.OPERATOR)
    assert (await revive(killed, {"keys": ["cart"]}, token=operator)).status == 403
    assert all((await kills(killed)).values())
    assert (await revive(killed, {"keys": ["cart"]}, token=limited)).status == 200
