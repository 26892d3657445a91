"""How a webhook fares, in a word, and having what failed sent again at once."""

import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiver import Receiver, receiving
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag_server.webhooks.queue import Item, Queue
from wigwag_server.webhooks.standing import State, standing
from wigwag_server.webhooks.webhook import Webhook

WEBHOOK = Webhook(id="w", url="https://hooks.example", secret="whsec_")


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


def item(number: int) -> Item:
    return Item(id=str(number), type="kill", environment="production", at=0, keys=(str(number),))


def test_it_fails_from_the_first_attempt_in_vain_until_the_next_that_is_not() -> None:
    queue, rng = Queue(), random.Random(1)
    assert standing(WEBHOOK, queue.items, queue.recent).state is State.DELIVERING
    queue.add(item(1), 0)
    queue.add(item(2), 0)
    assert (standing(WEBHOOK, queue.items, queue.recent).state, len(queue.items)) == (State.DELIVERING, 2)
    queue.failed(queue.items[0], 10, "it said 500", rng)
    failing = standing(WEBHOOK, queue.items, queue.recent)
    assert (failing.state, failing.last_error, failing.waiting) == (State.FAILING, "it said 500", 2)
    assert failing.next_attempt_at == queue.items[0].due_at
    queue.delivered(queue.items[0], 20, 204, 3)
    well = standing(WEBHOOK, queue.items, queue.recent)
    assert (well.state, well.last_error, well.last_delivered_at, well.next_attempt_at) == (
        State.DELIVERING,
        "",
        20,
        None,
    )
    queue.drop(queue.items[0], 30, "too many were waiting")
    given_up = standing(WEBHOOK, queue.items, queue.recent)
    assert (given_up.state, given_up.last_error, given_up.last_delivered_at) == (
        State.FAILING,
        "too many were waiting",
        20,
    )


def test_one_that_is_not_active_is_disabled_whatever_waits() -> None:
    queue = Queue()
    queue.add(item(1), 0)
    queue.failed(queue.items[0], 10, "it said 500", random.Random(1))
    off = standing(Webhook(id="w", url="", secret="", active=False), queue.items, queue.recent)
    assert (off.state, off.waiting, off.next_attempt_at) == (State.DISABLED, 1, None)


def test_what_is_hurried_is_due_and_what_was_due_stays_so() -> None:
    queue, rng = Queue(), random.Random(1)
    for number in (1, 2):
        queue.add(item(number), 0)
    queue.failed(queue.items[0], 10, "no", rng)
    queue.hurry(11)
    assert [(each.id, each.due_at) for each in queue.items] == [("1", 11), ("2", 0)]


async def test_a_receiver_that_is_not_there_is_told_in_plain_words(server: Server) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        port = closed.getsockname()[1]
        made = (await server.ask("POST", "/admin/webhooks", json={"url": f"http://127.0.0.1:{port}/hook"})).body
        tested = (await server.ask("POST", f"/admin/webhooks/{made['id']}/test")).body
    assert tested["error"] == f"no connection to 127.0.0.1:{port}: Connection refused"


async def test_what_failed_is_sent_again_at_once_when_somebody_says_so(server: Server, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    made = (await server.ask("POST", "/admin/webhooks", json={"url": receiver.url})).body
    path = f"/admin/webhooks/{made['id']}"
    await server.put("checkout", enabled=True)

    async def failed(times: int) -> bool:
        waiting = (await server.ask("GET", f"{path}/deliveries")).body["waiting"]
        return bool(waiting) and waiting[0]["attempts"] >= times

    # By then the next attempt is seconds away, and the test would have to wait for it.
    await until_async(lambda: failed(3), "three attempts")
    shown = (await server.ask("GET", path)).body
    assert (shown["state"], shown["lastError"], shown["lastDeliveredAt"]) == (
        "failing",
        "the receiver answered 500",
        None,
    )
    receiver.answer = lambda _: 204
    before = len(receiver.got)
    assert (await server.ask("POST", f"{path}/retry", json={"comment": "mended"})).status == 200
    await until(lambda: len(receiver.got) > before)

    async def state() -> Any:
        return (await server.ask("GET", path)).body["state"]

    async def well() -> bool:
        return bool(await state() == "delivering")

    await until_async(well, "the delivery to be noted")
    assert (await server.ask("POST", f"{path}/retry", json={"why": "x"})).status == 422
    await server.ask("PATCH", path, json={"active": False})
    assert await state() == "disabled"
    assert (await server.ask("POST", f"{path}/retry")).status == 409
