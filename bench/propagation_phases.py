"""The three measurements, one after the other on the same server: push, polling, one read for each evaluation."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.harness import summary
from bench.loads.load import Orders
from bench.propagation_load import BenchFailed, Load, running_load
from bench.propagation_server import Flip, Operator

KILLED_FLAG = "bench_killed"
READ_FLAG = "bench_read"
WARM_UP = 2
START_S = 90.0
ARRIVAL_S = 15.0
READS_S = 120.0
ROUNDS = 10

Progress = Callable[[str, int, int], None]  # what, how many are done, of how many


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `reads` is the number of reads of the store; the local evaluations are many more."""

    store: str
    clients: int
    events: int
    poll_interval_s: float
    poll_flips: int
    reads: int


@dataclass(frozen=True, slots=True)
class Spread:
    """One flip, and when each client had it: nanoseconds after it was sent, sorted."""

    acked_ns: int
    reached_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """A running server with both flags, and the key of its clients."""

    operator: Operator
    key: str
    store: str
    folder: Path

    def orders(self, flag: str, **details: Any) -> Orders:
        """Return orders for a load program at this server."""
        return Orders(url=self.operator.url, key=self.key, flag=flag, store=self.store, **details)


async def prepared(operator: Operator, store: str, folder: Path) -> Site:
    """Make the flags and the key."""
    await operator.put(KILLED_FLAG, enabled=True)
    rules = [{"attribute": "plan", "operator": "equals", "value": "premium"}]
    await operator.put(READ_FLAG, enabled=True, rules=rules, rolloutPercentage=50)
    return Site(operator, await operator.new_key(), store, folder)


async def measure_push(site: Site, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Kill the flag again and again; tell when the clients, which hold streams, have it in force, and when that is
    proven to the operator."""
    orders = site.orders(KILLED_FLAG, clients=plan.clients)
    async with running_load("push_clients", orders, site.folder) as load:
        await load.report(START_S)
        spreads, proofs = [], []
        for event in range(WARM_UP + plan.events):
            flip, spread = await _flip(site.operator, load, plan.clients, ARRIVAL_S, kill=True)
            spreads.append(spread)
            proofs.append((flip, await site.operator.proven(flip.revision, plan.clients, ARRIVAL_S)))
            await _flip(site.operator, load, plan.clients, ARRIVAL_S, kill=False)
            # So that no event falls into the tail of the one before, nor into step with a timer.
            await asyncio.sleep(random.uniform(0.03, 0.08))
            progress("push", event + 1, WARM_UP + plan.events)
    return {
        **_described(spreads[WARM_UP:]),
        "confirmedMs": summary([proof.slowest_ms for _, proof in proofs[WARM_UP:]]),
        "provenMs": _ms([proof.seen_ns - flip.sent_ns for flip, proof in proofs[WARM_UP:]]),
    }


async def measure_polling(site: Site, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Kill and revive the flag in turn; tell when the clients, which poll, have it, and what they cost at rest."""
    interval_s = plan.poll_interval_s
    orders = site.orders(KILLED_FLAG, clients=plan.clients, interval_s=interval_s)
    async with running_load("pollers", orders, site.folder) as load:
        progress("polling", 0, plan.poll_flips)
        rest = await load.report(START_S + interval_s)
        spreads = []
        for event in range(plan.poll_flips):
            # At any moment of the interval, as in the field.
            await asyncio.sleep(random.uniform(0, interval_s / 5))
            patience_s = 2 * interval_s + ARRIVAL_S
            _, spread = await _flip(site.operator, load, plan.clients, patience_s, kill=event % 2 == 0)
            spreads.append(spread)
            progress("polling", event + 1, plan.poll_flips)
    return {**_described(spreads), "atRest": {**rest, "requestsPerS": rest["requests"] / rest["seconds"]}}


async def measure_reads(site: Site, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Evaluate a flag in the process, and by one read of the store for each evaluation."""
    progress("reads", 0, 1)
    orders = site.orders(READ_FLAG, reads=max(1, plan.reads // ROUNDS), rounds=ROUNDS)
    async with running_load("reads", orders, site.folder) as load:
        told = await load.report(READS_S)
    progress("reads", 1, 1)
    return {
        "local": {unit: summary([each[unit] for each in told["local"]]) for unit in ("ns", "cpuNs")},
        "store": {unit: summary([each[unit] for each in told["store"]]) for unit in ("ns", "cpuNs")},
        "storeLatencyNs": summary(told["latenciesNs"]),
        "staleness": "immediate",
    }


async def _flip(operator: Operator, load: Load, clients: int, patience_s: float, *, kill: bool) -> tuple[Flip, Spread]:
    flip = await operator.flip(KILLED_FLAG, kill=kill)
    told = await load.arrivals(flip.revision, patience_s)
    if told["enabled"] != (0 if kill else clients):
        raise BenchFailed(f"{told['enabled']} of {clients} clients answer 'on' after a {'kill' if kill else 'revival'}")
    return flip, _spread(flip, told["atNs"])


def _spread(flip: Flip, at_ns: Sequence[int]) -> Spread:
    return Spread(flip.acked_ns - flip.sent_ns, tuple(sorted(at - flip.sent_ns for at in at_ns)))


def _described(spreads: Sequence[Spread]) -> dict[str, Any]:
    """Sum up over the flips; all times are ms after the flip was sent, apart from `ackToLastMs`."""
    return {
        "flips": len(spreads),
        "clientsReached": [len(each.reached_ns) for each in spreads],
        "acknowledgedMs": _ms([each.acked_ns for each in spreads]),
        "firstMs": _ms([each.reached_ns[0] for each in spreads]),
        "medianMs": _ms([median(each.reached_ns) for each in spreads]),
        "lastMs": _ms([each.reached_ns[-1] for each in spreads]),
        "ackToLastMs": _ms([each.reached_ns[-1] - each.acked_ns for each in spreads]),
    }


def _ms(samples_ns: Sequence[float]) -> dict[str, float]:
    return summary([sample / 1e6 for sample in samples_ns])
