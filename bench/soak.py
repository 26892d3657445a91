"""A soak: two servers on one Redis, many clients, random edits and kills, and one fault after the other.

    python -m bench.soak --minutes 10
    python -m bench.soak --minutes 10 --clients 200 --seed 7 --json

Prints how many changes were acknowledged and delivered, how many were lost, applied out of order or invented and how
many kills were not in force (each of these must be 0, else the exit status is 1), and for each kind of fault how long
it took at worst, from when it was lifted, until a change made after that was in every client.
`soak_verdict` says what the words mean. The seed fixes the faults and their order, not what races with what.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from bench.harness import report, show, table
from bench.propagation_load import BenchFailed
from bench.session import INTERRUPTED, allow_open_files, until_interrupted
from bench.soak_crowd import Census, Crowd, crowded
from bench.soak_faults import FAILURES, FAULTS
from bench.soak_site import Site, built
from bench.soak_verdict import Verdict, judge
from bench.soak_writers import MARKER, Books, Writers
from wigwag_server.store.redis import RedisStore

PACKAGES = ("wigwag", "aiohttp", "uvloop", "redis", "hiredis", "orjson", "msgspec")
LOOK_EVERY_S = 0.02
FAULT_S = 60.0  # what a fault may take, its lifting included
CONVERGE_S = 60.0
CALM_S = 1.0
MARGIN_S = 240.0  # beyond the minutes asked for: the start, the last fault, the end
ZEROS = ("lost", "outOfOrder", "invented", "killsNotInForce")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for."""

    minutes: float
    clients: int
    seed: int


@dataclass(frozen=True, slots=True)
class Healed:
    """How long after a fault was lifted a change was made (`made_s`), and was everywhere; and who was last."""

    fault: str
    made_s: float
    everywhere_s: float
    last: dict[str, int]


@dataclass(slots=True)
class Course:
    """What happened: how each fault healed, and kills found not in force on the way."""

    healed: list[Healed] = field(default_factory=list)
    not_in_force: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """Who is there."""

    site: Site
    writers: Writers
    crowd: Crowd


def main() -> None:
    """Soak and show."""
    plan, as_json = _read_options()
    allow_open_files()
    try:
        with tempfile.TemporaryDirectory(prefix="wigwag-bench-") as folder:
            result = uvloop.run(until_interrupted(soak(plan, Path(folder))))
    except BenchFailed as error:
        sys.exit(f"bench.soak: {error} (seed {plan.seed})")
    except asyncio.CancelledError:
        print("bench.soak: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    show(result, as_json=as_json, tables=[] if as_json else tables(result))
    if any(result["changes"][name] for name in ZEROS):
        sys.exit(1)


async def soak(plan: Plan, folder: Path) -> dict[str, Any]:
    """Soak, and return what came of it. Raises BenchFailed."""
    begun = time.monotonic()
    try:
        async with (
            asyncio.timeout(plan.minutes * 60 + MARGIN_S),
            built(folder) as site,
            aiohttp.ClientSession() as session,
        ):
            rng = Random(plan.seed)
            writers = Writers([server.url for server in site.servers], rng, session)
            await writers.first_edits()
            async with crowded(plan.clients, site.client_urls, site.key, folder) as crowd:
                course, verdict, census = await _soaked(plan, site, writers, crowd)
    except TimeoutError:
        raise BenchFailed("it took much longer than it was asked to") from None
    result = _described(plan, writers.books, course, verdict)
    return {**result, "tookS": time.monotonic() - begun, "connectedAtTheEnd": census.connected}


async def _soaked(plan: Plan, site: Site, writers: Writers, crowd: Crowd) -> tuple[Course, Verdict, Census]:
    course = Course()
    async with _at_work(writers):
        end = time.monotonic() + plan.minutes * 60
        rng = Random(plan.seed)
        for name in _schedule(rng):
            await asyncio.sleep(CALM_S * rng.uniform(0.2, 1.0))
            if time.monotonic() >= end:
                break
            await _suffer(name, rng, course, Scene(site, writers, crowd))
        async with writers.paused():
            await _healed("the last fault", time.monotonic(), writers, crowd)
            store, census = await _at_rest(site, writers, crowd)
            verdict = judge(writers.books, await crowd.histories(), store, list(census.contents))
    verdict.kills_not_in_force += course.not_in_force
    return course, verdict, census


def _schedule(rng: Random) -> Any:
    """Yield the names of faults for ever: all kinds in random order, then again in another."""
    while True:
        yield from rng.sample(sorted(FAULTS), len(FAULTS))


async def _suffer(name: str, rng: Random, course: Course, scene: Scene) -> None:
    site, writers, crowd = scene.site, scene.writers, scene.crowd
    _say(f"{name} …")
    try:
        async with asyncio.timeout(FAULT_S):
            lifted_at = await FAULTS[name](site, rng)
    except FAILURES as error:
        raise BenchFailed(f"{name}: {str(error) or type(error).__name__}") from error
    healed = await _healed(name, lifted_at, writers, crowd)
    course.healed.append(healed)
    _say(f"{name}: healed after {healed.everywhere_s:.2f} s")
    async with writers.paused():
        _, census = await _at_rest(site, writers, crowd)
        for flag in writers.books.in_force():
            if census.killed[flag] < crowd.clients:
                course.not_in_force.append(f"after {name}: {flag} in {census.killed[flag]} of {crowd.clients} clients")


async def _healed(name: str, lifted_at: float, writers: Writers, crowd: Crowd) -> Healed:
    """Have a change made, and see it arrive in every client. Raises BenchFailed."""
    cursor = await writers.edit_until_made(MARKER, CONVERGE_S)
    if cursor is None:
        raise BenchFailed(f"{name}: no server took a change within {CONVERGE_S:g} s")
    made_at = time.monotonic()
    last: dict[str, int] = {}
    while True:
        reached, behind = await crowd.reached(cursor)
        now = time.monotonic()
        if reached == crowd.clients:
            return Healed(name, made_at - lifted_at, now - lifted_at, last)
        last = dict(behind)
        if now - made_at > CONVERGE_S:
            raise BenchFailed(f"{name}: {last} of {crowd.clients} clients did not get {cursor} in {CONVERGE_S:g} s")
        await asyncio.sleep(LOOK_EVERY_S)


async def _at_rest(site: Site, writers: Writers, crowd: Crowd) -> tuple[dict[str, Any], Census]:
    """Wait until every client is where the store is and emergencies are committed; return both. Raises BenchFailed."""
    store = RedisStore.from_url(site.redis.url)
    deadline = time.monotonic() + CONVERGE_S
    try:
        while True:
            snapshot, census = await store.load("production"), await crowd.census()
            flags = dict(snapshot.records.get("flag", {})) if snapshot else {}
            committed = all(flags.get(key, {}).get("kill") is not None for key in writers.books.in_force())
            together = snapshot is not None and list(census.cursors) == [str(snapshot.cursor)]
            if (committed and together) or time.monotonic() > deadline:
                return flags, census
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        await store.close()


@asynccontextmanager
async def _at_work(writers: Writers) -> AsyncGenerator[None]:
    task = asyncio.create_task(writers.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _described(plan: Plan, books: Books, course: Course, verdict: Verdict) -> dict[str, Any]:
    return report(
        "soak",
        packages=PACKAGES,
        parameters={"minutes": plan.minutes, "clients": plan.clients, "seed": plan.seed},
        changes={
            **verdict.plain(),
            "emergencyKills": books.emergencies,
            "refused": books.refused,
            "unanswered": books.uncertain,
        },
        faults={
            name: _worst([each for each in course.healed if each.fault == name]) for name in sorted(_names(course))
        },
        course=[
            {"fault": each.fault, "madeS": each.made_s, "everywhereS": each.everywhere_s, "last": each.last}
            for each in course.healed
        ],
    )


def _names(course: Course) -> set[str]:
    return {each.fault for each in course.healed}


def _worst(healed: list[Healed]) -> dict[str, Any]:
    return {
        "times": len(healed),
        "worstMadeS": max(each.made_s for each in healed),
        "bestS": min(each.everywhere_s for each in healed),
        "worstS": max(each.everywhere_s for each in healed),
    }


def tables(result: dict[str, Any]) -> list[Table]:
    """Return what happened to the changes, what went wrong, and how long the faults took to heal."""
    changes = result["changes"]
    rows = [
        ("acknowledged", changes["acknowledged"]),
        ("delivered (changes × clients)", changes["delivered"]),
        ("lost", changes["lost"]),
        ("applied out of order", changes["outOfOrder"]),
        ("invented", changes["invented"]),
        ("kills not in force", changes["killsNotInForce"]),
        ("kills without the store (202)", changes["emergencyKills"]),
        ("refused (not acknowledged)", changes["refused"]),
        ("unanswered (not acknowledged)", changes["unanswered"]),
    ]
    parameters = result["parameters"]
    title = f"Changes, {parameters['clients']} clients, {parameters['minutes']:g} minutes, seed {parameters['seed']}"
    healed = [
        (name, each["times"], each["worstMadeS"], each["bestS"], each["worstS"])
        for name, each in result["faults"].items()
    ]
    examples = [(name, text) for name, found in changes["examples"].items() for text in found]
    return [
        table(title, ("", "number"), rows),
        table(
            "From when a fault was lifted until a change was made, and was in every client",
            ("fault", "times", "made: worst s", "everywhere: best s", "everywhere: worst s"),
            healed,
        ),
        *([table("What went wrong", ("", "first examples"), examples)] if examples else []),
    ]


def _say(text: str) -> None:
    if sys.stderr.isatty():
        Console(stderr=True).print(text)


def _read_options() -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Break everything, lose nothing.")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long faults are made [%(default)s]")
    parser.add_argument("--clients", type=int, default=200, help="how many clients [%(default)s]")
    parser.add_argument("--seed", type=int, default=None, help="of the faults and their order [random]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    if not 0.05 <= given.minutes <= 24 * 60:
        parser.error("--minutes is 0.05 to 1440")
    if not 1 <= given.clients <= 5000:
        parser.error("--clients is 1 to 5000")
    seed = SystemRandom().randrange(2**32) if given.seed is None else given.seed
    return Plan(given.minutes, given.clients, seed), given.json


if __name__ == "__main__":
    main()
