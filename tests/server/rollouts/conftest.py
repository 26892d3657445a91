"""What the runs of an app are reported with."""

import itertools
from collections.abc import Awaitable, Callable

import pytest

from tests.support.server import Server

Report = Callable[..., Awaitable[None]]


@pytest.fixture
def report() -> Report:
    """Report runs as an app does: `on` and `off` are calls and errors."""
    numbers = itertools.count(1)

    async def send(server: Server, key: str, on: tuple[int, int], off: tuple[int, int]) -> None:
        outcomes = [
            {"flag": key, "enabled": enabled, "calls": calls, "errors": errors, "durations": [0, calls]}
            for enabled, (calls, errors) in ((True, on), (False, off))
            if calls
        ]
        body = {"instance": {"id": "instance-1"}, "batch": next(numbers), "outcomes": outcomes}
        answer = await server.ask("POST", "/v1/telemetry", token=server.key, json=body)
        assert answer.status == 204, answer

    return send
