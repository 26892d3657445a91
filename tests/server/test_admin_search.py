"""Lists of flags and segments: search, filters, and pages."""

from typing import Any

import pytest

from tests.server.test_admin_flags import is_problem
from tests.support.server import Server

FLAGS: dict[str, dict[str, Any]] = {
    "checkout": {"enabled": True, "owner": "shop", "tags": ["payments"], "description": "The new checkout"},
    "checkout.fast": {"enabled": True, "rolloutPercentage": 10, "owner": "shop", "kind": "experiment"},
    "login": {"enabled": True, "whitelist": ["u1"], "rolloutPercentage": 0, "tags": ["auth", "payments"]},
    "maintenance": {"enabled": True, "rolloutPercentage": 0, "kind": "ops", "owner": "platform"},
    "search": {"owner": "search", "description": "Straße"},
    "upload": {"enabled": True, "blacklist": ["u2"]},
}


async def made(server: Server) -> None:
    for key, body in FLAGS.items():
        await server.put(key, **body)
    await server.kill("login")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", list(FLAGS)),
        ("q=CHECKOUT", ["checkout", "checkout.fast"]),
        ("q=new%20shop", ["checkout"]),
        ("q=stra%C3%9Fe", ["search"]),
        ("q=auth", ["login"]),
        ("tag=payments", ["checkout", "login"]),
        ("tag=auth&tag=nope", ["login"]),
        ("owner=shop&owner=platform", ["checkout", "checkout.fast", "maintenance"]),
        ("kind=ops", ["maintenance"]),
        ("state=on", ["checkout"]),
        ("state=off", ["maintenance", "search"]),
        ("state=killed", ["login"]),
        ("state=partial", ["checkout.fast", "upload"]),
        ("state=partial&state=killed&q=login", ["login"]),
        ("state=damaged", []),
        ("tag=payments&state=on", ["checkout"]),
        ("q=nowhere", []),
    ],
)
async def test_flags_are_found(embedded: Server, query: str, found: list[str]) -> None:
    await made(embedded)
    listed = await embedded.ask("GET", f"/admin/flags?{query}")
    assert [flag["key"] for flag in listed.body["flags"]] == found
    assert (listed.body["total"], listed.body["next"]) == (len(found), None)


async def test_pages_make_up_the_list_although_flags_come_and_go(embedded: Server) -> None:
    await made(embedded)
    first = (await embedded.ask("GET", "/admin/flags?limit=2")).body
    assert ([flag["key"] for flag in first["flags"]], first["total"]) == (["checkout", "checkout.fast"], 6)
    await embedded.put("a-new-one")
    await embedded.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
    second = (await embedded.ask("GET", f"/admin/flags?limit=3&after={first['next']}")).body
    assert [flag["key"] for flag in second["flags"]] == ["login", "maintenance", "search"]
    last = (await embedded.ask("GET", f"/admin/flags?limit=3&after={second['next']}")).body
    assert ([flag["key"] for flag in last["flags"]], last["next"]) == (["upload"], None)


async def test_segments_are_found_and_paged(embedded: Server) -> None:
    for key in ("beta", "staff", "staff.old"):
        await embedded.ask("POST", f"/admin/segments/{key}", json={"description": f"All of {key}"})
    listed = (await embedded.ask("GET", "/admin/segments?q=staff&limit=1")).body
    assert ([each["key"] for each in listed["segments"]], listed["total"], listed["next"]) == (["staff"], 2, "staff")


@pytest.mark.parametrize(
    ("path", "parameter", "words"),
    [
        ("/admin/flags?sate=on", "sate", "state"),
        ("/admin/flags?state=On", "state", "'on'"),
        ("/admin/flags?kind=relase", "kind", "release"),
        ("/admin/flags?limit=0", "limit", "1 to 10,000"),
        ("/admin/flags?limit=ten", "limit", "whole number"),
        ("/admin/flags?limit=99999999999999999999999999", "limit", "whole number"),
        ("/admin/flags?limit=%D9%A3", "limit", "whole number"),
        ("/admin/flags?q=a&q=b", "q", "more than once"),
        ("/admin/flags?q=a%00b", "q", "readable"),
        ("/admin/flags?after=-x", "after", "next"),
        ("/admin/flags?cursor=5", "cursor", "unknown parameter"),
        (f"/admin/flags?q={'x' * 1001}", "q", "1000"),
        ("/admin/segments?tag=a", "tag", "unknown parameter"),
        ("/admin/flags/checkout?verbose=1", "verbose", "unknown parameter"),
        ("/admin/flags/checkout/history?limit=501", "limit", "500"),
        ("/admin/flags/checkout/history?before=0", "before", "whole number"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(embedded: Server, path: str, parameter: str, words: str) -> None:
    await embedded.put("checkout")
    answer = await embedded.ask("GET", path)
    is_problem(answer, 422, words)
    assert [error["parameter"] for error in answer.body["errors"]] == [parameter]


async def test_a_misspelt_trial_is_no_write(embedded: Server) -> None:
    before = await embedded.put("checkout", enabled=True)
    for method, path in (
        ("POST", "/admin/flags/checkout?dryrun=true"),
        ("POST", "/admin/flags/checkout?dryRun=yes"),
        ("PATCH", "/admin/flags/checkout?dry_run=true"),
        ("POST", "/admin/flags/checkout/kill?dryrun=true"),
        ("POST", "/admin/kill?dryrun=true"),
        ("DELETE", "/admin/flags/checkout?confirm=checkout&dryrun=true"),
    ):
        body = {"keys": ["checkout"]} if path.startswith("/admin/kill") else {}
        is_problem(await embedded.ask(method, path, json=body), 422, "dryRun")
    assert (await embedded.ask("GET", "/admin/flags/checkout")).body == before
