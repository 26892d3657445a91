"""Flags with a past, on a real server: what `wigwag stale` shows of each state, and what resets the two weeks."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.processes import run_command
from tests.support.seeded import Written, seed
from tests.support.server import ADMIN_TOKEN, Server, running

ON: dict[str, Any] = {"enabled": True, "rolloutPercentage": 100}
HALF: dict[str, Any] = {"enabled": True, "rolloutPercentage": 50}
USES = {
    "repository": "shop/web",
    "commit": "4f2c9e1",
    "references": [{"flag": "everybody", "file": "pay.py", "line": n} for n in (1, 2)],
}
PAST: list[Written] = [
    (100, "everybody", {**ON, "owner": "payments"}),
    (100, "nobody", {"enabled": False}),
    (100, "long-killed", ON),
    (50, "long-killed", {"kill": {"by": "ops", "reason": "", "at": 1}}),
    (60, "growing", HALF),
    (3, "growing", {"rolloutPercentage": 60}),
    (20, "described", ON),
    (1, "described", {"description": "what it is for", "owner": "ann", "tags": ["x"]}),
    (20, "raised", HALF),
    (2, "raised", {"rolloutPercentage": 100}),
    (1, "raised", {"description": "everybody now"}),
    (2, "fresh", ON),
    (20, "in-use", HALF),
    (400, "breaker", {**ON, "kind": "ops"}),
    (400, "pro-plan", {**ON, "kind": "permission"}),
    (100, "done", {**ON, "archived": {"by": "ann", "reason": "everybody has it", "at": 1}}),
]
DESCRIBED = "Take it out of the code, keeping what it turns on; then: wigwag archive described"


async def wigwag(server: Server, folder: Path, *words: str) -> str:
    environ = {"WIGWAG_URL": server.url, "WIGWAG_TOKEN": ADMIN_TOKEN}
    ran = await asyncio.to_thread(run_command, "wigwag", *words, folder=folder, environ=environ)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def test_stale_shows_each_flag_with_reason_and_next_step(store_url: str, tmp_path: Path) -> None:
    await seed(store_url, PAST)
    async with running(store_url, data_dir=tmp_path / "data") as server:
        shown = await wigwag(server, tmp_path, "stale")
        rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in shown.splitlines()]
        assert rows == [
            ["FLAG", "STATE", "OWNER", "WHY", "NEXT STEP"],
            ["described", "potentially-stale", "ann", "fully on for 20 days", DESCRIBED],
            [
                "everybody",
                "stale",
                "payments",
                "fully on for 100 days; 100 days old, expected 40",
                "Take it out of the code, keeping what it turns on; then: wigwag archive everybody",
            ],
            [
                "growing",
                "potentially-stale",
                "-",
                "60 days old, expected 40",
                "Bring it to an end, or let it live longer: wigwag set growing --expected-life DAYS",
            ],
            [
                "long-killed",
                "stale",
                "-",
                "killed for 50 days; 100 days old, expected 40",
                "Take it out of the code, with what it turns on; then: wigwag archive long-killed",
            ],
            [
                "nobody",
                "stale",
                "-",
                "off for 100 days; 100 days old, expected 40",
                "Take it out of the code, with what it turns on; then: wigwag archive nobody",
            ],
        ]
        everything = (await server.ask("GET", "/admin/stale?all=true")).body["flags"]
        assert {each["key"]: each["state"] for each in everything if each["key"] not in shown} == {
            "breaker": "active",
            "done": "archived",
            "fresh": "new",
            "in-use": "active",
            "pro-plan": "active",
            "raised": "active",
        }
        # Once code was scanned, the next step says where it stands, or that nothing asks.
        assert (await server.ask("PUT", "/admin/code-references", json=USES)).status == 200
        steps = {each["key"]: each["nextStep"] for each in (await server.ask("GET", "/admin/stale")).body["flags"]}
        assert "(2 places: wigwag references everybody)" in steps["everybody"]
        assert steps["nobody"] == "Nothing seems to ask for it: wigwag archive nobody"


async def test_a_description_does_not_make_a_flag_younger_and_a_percentage_does(embedded: Server) -> None:
    environment = embedded.services.environments["production"]

    async def since(key: str) -> int:
        flag = environment.replica.records["flag"][key]
        return (await embedded.services.settled.since(environment, [(key, flag)]))[key]

    made = await embedded.put("checkout", **ON)
    await embedded.ask("PATCH", "/admin/flags/checkout", json={"description": "x", "tags": ["a"], "kind": "experiment"})
    await embedded.ask("POST", "/admin/flags/checkout/archive")
    await embedded.ask("POST", "/admin/flags/checkout/restore")
    assert await since("checkout") == made["updatedAt"]
    await embedded.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 50})
    edited = (await embedded.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 100})).body
    await embedded.ask("PATCH", "/admin/flags/checkout", json={"owner": "ann"})
    assert await since("checkout") == edited["updatedAt"]
    killed = await embedded.kill("checkout")
    assert await since("checkout") == killed["updatedAt"]
