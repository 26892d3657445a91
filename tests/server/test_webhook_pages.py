"""The pages of webhooks, without scripts: made, tested, mended, deleted."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.test_operations import token_of
from tests.support.browsing import Browser, Shown, browsing, words
from tests.support.receiver import Receiver, receiving
from tests.support.server import Server, running
from tests.support.waiting import until_async
from wigwag_server.auth.rights import Role
from wigwag_server.webhooks.webhook import Webhook, webhooks_of

HOOKS = "/ui/env/production/webhooks"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver."""
    async with receiving() as made:
        yield made


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that may send to this machine."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}", webhook_allow_private=True) as made:
        yield made


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[Browser]:
    """A browser that has signed in."""
    async with browsing(server) as made:
        await made.sign_in()
        yield made


def the_one(server: Server) -> Webhook:
    (found,) = webhooks_of(server.services.system.replica.records).values()
    return found


def secret_in(shown: Shown) -> str:
    found = re.search(r'readonly value="(whsec_[^"]*)"', shown.text)
    return found[1] if found else ""


async def test_a_webhook_is_made_its_secret_shown_once_and_a_test_tells_how_it_went(
    server: Server, browser: Browser, receiver: Receiver
) -> None:
    empty = await browser.get(HOOKS)
    assert "No other system is told of anything yet." in words(empty.text)
    made = await browser.post(
        HOOKS, url=receiver.url, name="on call", event=["kill", "revive"], flags="pay.* checkout", tags="web, big one"
    )
    hook = the_one(server)
    assert (made.status, secret_in(made)) == (201, hook.secret)
    assert (hook.events, hook.flags, hook.tags) == (("kill", "revive"), ("pay.*", "checkout"), ("web", "big one"))
    assert hook.secret not in (await browser.get(f"{HOOKS}/{hook.id}")).text
    tested = await browser.post(f"{HOOKS}/{hook.id}/test")
    assert "The test was delivered" in words(tested.text)
    assert receiver.got[0].signed_with(hook.secret)
    receiver.answer = lambda _: 410
    tested = await browser.post(f"{HOOKS}/{hook.id}/test")
    assert "The test was not delivered: the receiver answered 410." in words(tested.text)


async def test_one_that_fails_says_why_and_what_waits_is_sent_when_somebody_says_so(
    server: Server, browser: Browser, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    await browser.get(HOOKS)
    await browser.post(HOOKS, url=receiver.url, name="on call")
    hook = the_one(server)
    await server.put("checkout", enabled=True)

    async def says(path: str, what: str) -> bool:
        return what in words((await browser.get(path)).text)

    await until_async(lambda: says(HOOKS, "Failing on call"))
    assert await says(HOOKS, "the receiver answered 500")
    assert await says("/ui/env/production", "Webhooks that fail 1")
    assert await says(f"{HOOKS}/{hook.id}", "1 waiting")
    off = await browser.post(f"{HOOKS}/{hook.id}/switch", active="false")
    assert "Nothing is sent. What happens is kept for later" in words(off.text)
    receiver.answer = lambda _: 204
    await browser.post(f"{HOOKS}/{hook.id}/switch", active="true")
    sent = await browser.post(f"{HOOKS}/{hook.id}/retry")
    assert "What waits is being sent." in words(sent.text)
    await until_async(lambda: says(f"{HOOKS}/{hook.id}", "delivered, 204"))
    assert await says(HOOKS, "Delivering on call")


async def test_a_webhook_is_changed_and_what_is_refused_is_shown_with_what_was_written(
    server: Server, browser: Browser, receiver: Receiver
) -> None:
    await browser.get(HOOKS)
    refused = await browser.post(HOOKS, url="ftp://elsewhere", name="mine", event=["kill"])
    assert refused.status == 422
    assert "must begin with" in words(refused.text)
    assert all(part in refused.text for part in ('value="ftp://elsewhere"', 'value="mine"', 'value="kill" checked'))
    await browser.post(HOOKS, url=receiver.url)
    hook = the_one(server)
    path = f"{HOOKS}/{hook.id}"
    refused = await browser.post(path, url="no url", name="kept")
    assert refused.status == 422
    assert 'value="kept"' in refused.text
    await browser.post(path, url=receiver.url, name="chat", template="slack", **{"in": "production"})
    after = the_one(server)
    assert (after.name, after.template, after.environments, after.events) == ("chat", "slack", ("production",), ())
    rotated = await browser.post(f"{path}/rotate", overlap="1h")
    assert secret_in(rotated) == the_one(server).secret != hook.secret
    assert (await browser.post(f"{path}/delete", confirm="chatt")).status == 422
    assert (await browser.post(f"{path}/delete", confirm="chat")).path == f"{HOOKS}?done=deleted"
    assert webhooks_of(server.services.system.replica.records) == {}
    assert (await browser.get(path)).status == 404


async def test_webhooks_are_for_admins(server: Server) -> None:
    async with browsing(server) as editor:
        await editor.sign_in(await token_of(server, Role.EDITOR))
        assert "Webhooks" not in (await editor.get("/ui/env/production/flags")).text
        assert (await editor.get(HOOKS)).status == 403
        assert (await editor.post(HOOKS, url="https://hooks.example")).status == 403
