"""The benchmark of the middleware still runs, and each app does what its column says."""

import pytest

from bench.integrations import COLUMNS, FRAMEWORKS, aiohttp_call, asgi_call, client, measured, starlette_call
from tests.client.integrations.flags import endings, uses


@pytest.mark.long
async def test_it_measures_every_cell() -> None:
    figures, whole = await measured(1)
    assert list(figures) == list(FRAMEWORKS)
    assert all(len(row) == len(COLUMNS) and min(row) > 0 for row in figures.values())
    assert whole > 0


@pytest.mark.parametrize("make", [aiohttp_call, asgi_call, starlette_call])
async def test_a_call_asks_and_counts_what_it_says(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [client()]
    monkeypatch.setattr("bench.integrations.client", lambda: made[0])
    assert callable(make)
    await make(5)()
    assert sum(uses(made[0]).values()) == 5
    assert len(endings(made[0])) == 5
