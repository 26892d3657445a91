"""The contract of a usage store, run over every implementation."""

import pytest

from wigwag_server.usage import redis_usage, sqlite_usage
from wigwag_server.usage.usage_store import OTHERS, Batch, Count, Size, UsageStore

DAY_S = 86_400


def batch(number: int, *counts: tuple[str, str, int], instance: str = "instance1", **unknown: int) -> Batch:
    return Batch(instance, number, [Count(*count) for count in counts], unknown)


async def sums(usage: UsageStore, flag: str, size: Size = Size.MINUTE) -> dict[str, int]:
    buckets = await usage.read("production", flag, size, size.kept_s)
    return {series: sum(counts.values()) for series, counts in buckets.series.items()}


async def test_counts_add_up_by_the_minute_and_by_the_hour(usage: UsageStore) -> None:
    await usage.add("production", [batch(1, ("checkout", "on", 3), ("checkout", "off", 1), ("search", "on", 5))])
    await usage.add("production", [batch(1, ("checkout", "on", 4), instance="instance2")])
    for size in Size:
        assert await sums(usage, "checkout", size) == {"on": 7, "off": 1}
    assert await sums(usage, "search") == {"on": 5}
    assert await sums(usage, "nobody_asked") == {}
    buckets = await usage.read("production", "checkout", Size.HOUR, DAY_S)
    assert all(at % 3600 == 0 and at <= buckets.now_s for at in buckets.series["on"])
    assert (await usage.read("staging", "checkout", Size.MINUTE, DAY_S)).series == {}


async def test_a_batch_that_is_repeated_counts_once(usage: UsageStore) -> None:
    first, second = batch(1, ("checkout", "on", 3), nope=2), batch(2, ("checkout", "on", 10))
    await usage.add("production", [first, first])
    await usage.add("production", [first])
    await usage.add("production", [second, first, second])
    assert await sums(usage, "checkout") == {"on": 13}
    (unknown,) = await usage.unknown("production")
    assert (unknown.name, unknown.count) == ("nope", 2)


async def test_when_a_flag_was_last_asked_for_is_known(usage: UsageStore) -> None:
    await usage.add("production", [batch(1, ("checkout", "on", 3))])
    now_s = (await usage.read("production", "checkout", Size.MINUTE, 60)).now_s
    asked = await usage.asked("production")
    assert set(asked) == {"checkout"}
    assert now_s - 60 < asked["checkout"] <= now_s


async def test_unknown_names_are_told_apart_up_to_a_limit(usage: UsageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (redis_usage, sqlite_usage):
        monkeypatch.setattr(module, "UNKNOWN_LIMIT", 2)
    await usage.add("production", [batch(1, a=1, b=2)])
    await usage.add("production", [batch(2, c=4), batch(3, a=1), batch(4, d=8)])
    assert {each.name: each.count for each in await usage.unknown("production")} == {"a": 2, "b": 2, OTHERS: 12}
    for module in (redis_usage, sqlite_usage):
        monkeypatch.setattr(module, "UNKNOWN_KEPT_S", -1)
    await usage.add("production", [batch(5, c=1)])
    assert "c" in {each.name for each in await usage.unknown("production")}
    assert len(await usage.unknown("production")) == 3


async def test_a_flag_has_a_limited_number_of_series(usage: UsageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (redis_usage, sqlite_usage):
        monkeypatch.setattr(module, "SERIES_LIMIT", 2)
    await usage.add("production", [batch(1, ("f", "a", 1), ("f", "b", 1))])
    await usage.add("production", [batch(2, ("f", "c", 1), ("f", "a", 1), ("g", "c", 1))])
    assert await sums(usage, "f") == {"a": 2, "b": 1}
    assert await sums(usage, "g") == {"c": 1}


async def test_more_instances_than_can_be_remembered_are_not_counted(
    usage: UsageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (redis_usage, sqlite_usage):
        monkeypatch.setattr(module, "BATCHES_LIMIT", 2)
    await usage.add("production", [batch(1, ("f", "on", 1), instance=f"instance{n}") for n in range(5)])
    await usage.add("production", [batch(2, ("f", "on", 1), instance="instance0")])
    assert await sums(usage, "f") == {"on": 3}


async def test_great_numbers_and_any_name_are_kept_as_they_are(usage: UsageStore) -> None:
    series = '["usage",true,"STATIC","grün: \\"x\\" y"]'
    await usage.add("production", [batch(1, ("f", series, 2**40)), batch(2, ("f", series, 2**40))])
    await usage.add("production", [Batch("instance1", 3, [], {"über \n flag": 1})])
    assert await sums(usage, "f") == {series: 2**41}
    assert [each.name for each in await usage.unknown("production")] == ["über \n flag"]


async def test_many_rows_are_added_whole(usage: UsageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_usage, "ROWS_AT_ONCE", 3)
    await usage.add("production", [batch(n, ("f", f"s{n}", n), ("g", "on", 1)) for n in range(1, 11)])
    assert await sums(usage, "f") == {f"s{n}": n for n in range(1, 11)}
    assert await sums(usage, "g") == {"on": 10}
