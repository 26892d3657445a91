"""The pages of ramps, guards, schedules and flags that go away, as they are read without scripts."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rollouts.conftest import Report, report
from tests.server.test_lives import UPLOAD, age
from tests.server.test_operations import token_of
from tests.server.test_pages import EVIL, Checks
from tests.support.browsing import Browser, browsing, words
from tests.support.server import Server, running
from tests.support.waiting import until_async
from wigwag_server.auth.rights import Role

__all__ = ["report"]

IN = "/ui/env/production"
RAMP = f"{IN}/flags/checkout/ramp"
FIELDS = {"stages": "10, 100", "interval": "1h", "error_increase": "0", "samples": "100", "breach": "rollback"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with a flag that a ramp can begin on."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        await made.put("checkout", enabled=True, rolloutPercentage=0)
        yield made


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[Browser]:
    """A browser that has signed in."""
    async with browsing(server) as made:
        await made.sign_in()
        await made.get(RAMP)
        yield made


async def says(browser: Browser, path: str, text: str) -> str:
    """Wait until a page says something, and return all that it says."""
    said = ""

    async def so() -> bool:
        nonlocal said
        said = words((await browser.get(path)).text)
        return text in said

    await until_async(so, f"{path} to say {text!r}")
    return said


async def test_a_ramp_is_started_watched_broken_off_and_resumed(
    server: Server, browser: Browser, report: Report
) -> None:
    assert "No run of the code behind this flag was counted lately" in words((await browser.get(RAMP)).text)
    started = await browser.post(RAMP, **FIELDS, comment="slowly")
    assert (started.status, started.path) == (200, f"{RAMP}?done=started")
    said = await says(browser, RAMP, "Too little to judge yet: 0 of 100 runs with the flag on.")
    assert "no more fail than with the flag off; else it goes back to 0 %" in said
    assert (await browser.post(f"{RAMP}/steer", verb="pause", comment="asking")).path == f"{RAMP}?done=paused"
    assert "Paused by" in words((await browser.get(RAMP)).text)
    await browser.post(f"{RAMP}/steer", verb="resume")
    await says(browser, RAMP, "Counted at this stage")
    await report(server, "checkout", (1000, 50), (9000, 90))
    said = await says(browser, RAMP, "Rolled back")
    why = "50 of 1,000 runs (5.00%) failed with the flag on, 90 of 9,000 runs (1.00%) with it off"
    assert why in said
    assert "More fails with the flag on than with it off." in said
    listed = words((await browser.get(f"{IN}/ramps")).text)
    assert why in listed
    assert 'class="state damaged"' in (await browser.get(RAMP)).text
    assert why in words((await browser.get(f"{IN}/flags/checkout")).text)
    await browser.get(RAMP)
    await browser.post(f"{RAMP}/steer", verb="resume")
    await says(browser, RAMP, "Running")
    await browser.post(f"{RAMP}/steer", verb="abort", comment="enough")
    assert "Aborted by" in words((await browser.get(RAMP)).text)
    assert (await browser.post(f"{RAMP}/steer", verb="explode")).status == 422


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"stages": "5, many"}, "/stages/1"),
        ({"stages": "5, 5"}, "/stages/1"),
        ({"interval": "soon"}, "/interval"),
        ({"error_increase": "101"}, "/guard/maxErrorIncrease"),
        ({"breach": EVIL}, "/guard/onBreach"),
    ],
)
async def test_what_is_wrong_with_a_ramp_is_shown_with_all_that_was_written(
    browser: Browser, fields: dict[str, str], pointer: str
) -> None:
    shown = await browser.post(RAMP, **{**FIELDS, **fields}, comment="what I wrote")
    assert shown.status == 422
    assert pointer in shown.text
    assert 'value="what I wrote"' in shown.text
    if "breach" not in fields:
        assert f'value="{next(iter(fields.values()))}"' in shown.text
    assert "<script>alert" not in shown.text


async def test_a_ramp_that_cannot_begin_says_what_to_do(server: Server, browser: Browser) -> None:
    await server.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 50})
    shown = await browser.post(RAMP, **FIELDS)
    assert shown.status == 409
    assert "would take it from users who have it" in words(shown.text)
    assert 'value="50, 100"' in (await browser.get(RAMP)).text
    await server.ask("PATCH", "/admin/flags/checkout", json={"enabled": False})
    assert "The flag is off" in words((await browser.get(RAMP)).text)


async def test_a_guard_is_put_there_seen_everywhere_and_removed(server: Server, browser: Browser) -> None:
    fields = {"error_rate": "2,5", "window": "10m", "cool_down": "1h", "dry_run": "true"}
    assert (await browser.post(f"{IN}/flags/checkout/guard", **fields)).path == f"{RAMP}?done=guarded"
    guard = (await server.ask("GET", "/admin/flags/checkout/guard")).body
    assert (guard["maxErrorRate"], guard["coolDownMs"], guard["dryRun"]) == (0.025, 3_600_000, True)
    for path in (RAMP, f"{IN}/ramps", f"{IN}/flags/checkout"):
        said = words((await browser.get(path)).text)
        assert "at most 2.5 % of the runs fail" in said, path
    refused = await browser.post(f"{IN}/flags/checkout/guard", window="10m", cool_down="1h", error_rate="")
    assert refused.status == 422
    assert "what is it to look at?" in words(refused.text)
    assert (await browser.post(f"{IN}/flags/checkout/guard/remove")).path == f"{RAMP}?done=unguarded"
    assert (await server.ask("GET", "/admin/flags/checkout/guard")).status == 404
    listed = (await server.ask("GET", "/admin/guards")).body
    assert listed["guards"] == []


async def test_a_schedule_is_made_listed_and_cancelled(server: Server, browser: Browser) -> None:
    at = {"at": "2090-01-31T22:00", "zone": "Europe/Berlin", "missed": "do"}
    made = await browser.post(f"{IN}/flags/checkout/schedules", what="percentage", percentage="5", **at)
    assert made.path == f"{RAMP}?done=scheduled"
    await browser.post(f"{IN}/flags/checkout/schedules", what="kill", comment=EVIL, **{**at, "missed": "skip"})
    for path in (RAMP, f"{IN}/ramps", f"{IN}/flags/checkout"):
        said = words((await browser.get(path)).text)
        assert "Set to 5 %" in said, path
        assert "2090-01-31T22:00 Europe/Berlin" in said, path
        assert "<script>alert" not in (await browser.get(path)).text, path
    for fields in ({"what": "kill", "zone": "Mars"}, {"what": "change", "patch": "[]"}, {"what": "kill", "at": "now"}):
        assert (await browser.post(f"{IN}/flags/checkout/schedules", **{**at, **fields})).status == 422, fields
    broken = await browser.post(f"{IN}/flags/checkout/schedules", **at, what="change", patch="{")
    assert (broken.status, "Nothing was scheduled" in broken.text) == (400, True)
    first, second = (await server.ask("GET", "/admin/schedules?status=pending")).body["schedules"]
    cancel = f"{IN}/schedules/{first['id']}/cancel"
    assert (await browser.post(cancel, flag="checkout")).path == f"{RAMP}?done=cancelled"
    assert (await browser.post(cancel)).status == 409
    assert (await browser.post(f"{IN}/schedules/{second['id']}/cancel")).path == f"{IN}/ramps?done=cancelled"
    assert (await browser.post(f"{IN}/schedules/nope/cancel")).status == 404
    shown = await browser.get(f"{IN}/ramps")
    assert words(shown.text).count("Cancelled cancelled by") == 2
    assert "/cancel" not in shown.text, "what is over cannot be cancelled"


async def test_results_say_plainly_when_there_is_too_little(server: Server, browser: Browser, report: Report) -> None:
    said = words((await browser.get(RAMP)).text)
    assert "Too little data: 0 runs with the flag on, and at least 100 are needed." in said
    await report(server, "checkout", (400, 4), (400, 4))
    shown = await browser.get(f"{RAMP}?over=1h")
    assert "No difference in errors is proven." in words(shown.text)
    assert shown.text.count('class="between"') == 2
    assert "400 runs 4 failed 1 % between" in words(shown.text)


async def test_what_is_stale_is_listed_kept_archived_and_restored(server: Server, browser: Browser) -> None:
    for key, fields in (("old", {"owner": "ann"}), ("older", {"owner": "bob", "kind": "experiment"}), ("young", {})):
        await server.put(key, enabled=True, **fields)
    await age(server, "old", 50)
    await age(server, "older", 60)
    await server.ask("PUT", "/admin/code-references", json={**UPLOAD, "references": [_use("old")]})

    async def keys(query: str = "") -> list[str]:
        shown = await browser.get(f"{IN}/stale{query}")
        assert shown.status == 200
        return [part.split('"')[0] for part in shown.text.split(f'class="mono" href="{IN}/flags/')[1:]]

    assert await keys() == ["older#life", "old#life"]
    said = words((await browser.get(f"{IN}/stale")).text)
    assert "fully on for 50 days" in said
    assert "In code: 1 place." in said
    assert await keys("?owner=ann") == ["old#life"]
    assert await keys("?kind=experiment") == ["older#life"]
    assert await keys("?state=new") == ["checkout#life", "young#life"]
    life = f"{IN}/flags/old/life"
    kept = await browser.post(life, act="keep", days="30", reason="still ramping", back="stale")
    assert kept.path == f"{IN}/stale?done=kept"
    assert (await server.ask("GET", "/admin/flags/old")).body["expectedLifeDays"] == 81
    assert await keys() == ["older#life"]
    assert (await browser.post(life, act="keep", days="x")).status == 422
    assert (await browser.post(life, act="burn")).status == 422
    await browser.post(f"{IN}/flags/older/life", act="stay", kind="permission", reason="it is one")
    assert (await server.ask("GET", "/admin/flags/older")).body["kind"] == "permission"
    archived = await browser.post(life, act="archive", reason=EVIL)
    assert archived.path == f"{IN}/flags/old?done=archived"
    assert "Archived by" in words(archived.text)
    assert "<script>alert" not in archived.text
    assert await keys("?state=archived") == ["old#life"]
    restored = await browser.post(life, act="restore", back="stale", state="archived")
    assert restored.path == f"{IN}/stale?state=archived&done=restored"
    assert await keys("?state=archived") == []


def _use(flag: str, **more: Any) -> dict[str, Any]:
    return {"flag": flag, "file": "web/pay.py", "line": 12, "function": "pay", **more}


async def test_where_code_asks_is_on_the_page_with_links(server: Server, browser: Browser) -> None:
    assert "No code was scanned" in words((await browser.get(f"{IN}/flags/checkout")).text)
    uses = [_use("checkout", function="<img>pay", within=["search"]), *(_use("checkout") for _ in range(20))]
    sent = await server.ask("PUT", "/admin/code-references", json={**UPLOAD, "references": uses})
    assert sent.status == 200, sent
    shown = await browser.get(f"{IN}/flags/checkout")
    assert 'href="https://git.example.com/4f2c9e1/web/pay.py#L12"' in shown.text
    assert "<img>pay" not in shown.text
    said = words(shown.text)
    assert "shop/web at 4f2c9e1 , inside search" in said
    assert "9 more places" in said


async def test_only_what_the_token_may_is_offered_and_done(server: Server, browser: Browser) -> None:
    await browser.post(RAMP, **FIELDS)
    await says(browser, RAMP, "Running")
    async with browsing(server) as viewer:
        await viewer.sign_in(await token_of(server, Role.VIEWER))
        shown = await viewer.get(RAMP)
        assert 'name="verb"' not in shown.text
        assert 'name="stages"' not in shown.text
        for path, fields in (
            (f"{RAMP}/steer", {"verb": "abort"}),
            (f"{IN}/flags/checkout/guard/remove", {}),
            (f"{IN}/flags/checkout/life", {"act": "archive"}),
        ):
            assert (await viewer.post(path, **fields)).status == 403, path
        assert (await viewer.post(RAMP, **FIELDS)).status == 403
    async with browsing(server) as operator:
        await operator.sign_in(await token_of(server, Role.OPERATOR))
        shown = await operator.get(RAMP)
        assert 'value="abort"' in shown.text
        assert (await operator.post(f"{RAMP}/steer", verb="pause")).status == 200
        assert 'value="resume"' not in (await operator.get(RAMP)).text
    for path in (RAMP, f"{RAMP}/steer", f"{IN}/flags/checkout/guard", f"{IN}/flags/checkout/life"):
        assert (await browser.post(path, csrf="forged", verb="abort", act="archive")).status == 403, path


async def test_the_pages_are_whole_strict_and_escape_what_people_wrote(server: Server, browser: Browser) -> None:
    await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": "editor", "name": EVIL[:60]})
    await server.put("evil", enabled=True, rolloutPercentage=0, owner=EVIL, description=EVIL)
    await browser.get(f"{IN}/flags/evil/ramp")
    await browser.post(f"{IN}/flags/evil/ramp", **FIELDS, comment=EVIL)
    await browser.post(f"{IN}/flags/evil/guard", error_rate="5", window="10m", cool_down="1h", comment=EVIL)
    patch = {"what": "change", "patch": '{"description": "<script>alert(1)</script>"}', "comment": EVIL}
    await browser.post(f"{IN}/flags/evil/schedules", at="2090-01-31T22:00", zone="UTC", **patch)
    await browser.post(f"{IN}/flags/evil/life", act="archive", reason=EVIL)
    for path in (f"{IN}/flags/evil/ramp", f"{IN}/flags/evil", f"{IN}/ramps", f"{IN}/stale?state=archived"):
        shown = await browser.get(path)
        assert shown.status == 200, path
        assert "alert(1)</script>" not in shown.text, path
        checks = Checks()
        checks.feed(shown.text)
        assert (checks.forbidden, checks.open) == ([], []), path


async def test_a_second_person_is_asked_for_a_ramp_and_not_for_its_end(server: Server, browser: Browser) -> None:
    await server.ask("PATCH", "/admin/environments/production", json={"approvals": True})
    waiting = await browser.post(RAMP, **FIELDS)
    assert (waiting.status, "Waiting for a second person" in waiting.text) == (202, True)
    listed = await browser.get(f"{IN}/approvals")
    assert f'href="{RAMP}"' in listed.text
