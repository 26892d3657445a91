"""What one decision costs, beside a dict look-up, the bare hash, a store per decision, and the peers.

    python -m bench.evaluation [--json] [--rounds 60] [--without-peers]

All contestants run in one process on one core, in interleaved rounds, so that whatever the machine does meanwhile
meets them all alike; a figure is the median of the rounds. Peers are taken from this Python environment:
`pip install -r bench/peers.txt`.
"""

import argparse
import asyncio
import gc
import logging
import statistics
import sys
import time
import timeit
from collections.abc import Iterable
from typing import Any

import mmh3

from bench import harness
from bench.contest import MEANING, OTHERS, ROWS, Contestant, User, user, wrong_answers
from bench.evaluation_costs import FLAGS, other_flags, redis_get, snapshot, sqlite_select
from bench.peers import PEERS, load, missing_peers
from wigwag.flags import Flags
from wigwag_proto.context import Context
from wigwag_proto.ruleset import Ruleset

ROUND_S = 0.002  # per case and round: long against the timer, short against the scheduler


def main() -> None:
    """Run the benchmark and print it."""
    options = parsed(sys.argv[1:])
    logging.disable(logging.WARNING)  # peers say that they are offline
    missing = missing_peers()
    core = harness.pin_to_one_core()
    contestants, unfit = loaded([] if options.without_peers else [n for n in PEERS if n not in missing])
    figures = measured(contestants, options.rounds)
    stores = {**asyncio.run(redis_get()), **sqlite_select()}
    result = harness.report(
        "evaluation",
        packages=("wigwag", "mmh3", "msgspec", "redis", "hiredis", *PEERS),
        unit="ns per decision, median of the rounds",
        core=core,
        rounds=options.rounds,
        others=OTHERS,
        rows=MEANING,
        decisions=figures,
        stores=stores,
        snapshots=[snapshot(1_000), snapshot(10_000)],
        goals=goals(figures),
        missing=missing,
        unfit=unfit,
    )
    for contestant in contestants:
        contestant.close()
    harness.show(result, as_json=options.json, tables=tables(result))


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--rounds", type=int, default=60, help="interleaved rounds (60: about a minute)")
    parser.add_argument("--without-peers", action="store_true", help="measure wigwag and its baselines alone")
    return parser.parse_args(arguments)


# The contestants


def wigwag(others: int = OTHERS) -> Contestant:
    """Return this library, loaded."""
    ruleset = Ruleset()
    ruleset.load({"flag": {**FLAGS, **other_flags(others)}, "segment": {}}, 1)
    flags = Flags(ruleset, time.monotonic)
    bound = flags.bind(Context.from_plain(user("user-1234")))

    def ask(key: str, who: User) -> bool:
        return flags.is_enabled(key, Context.from_plain(who))

    fresh = "ask(FLAG, user_id=user_id, plan=plan)"
    fresh_hard = "ask(FLAG, user_id=user_id, plan=plan, country=country, age=age)"
    names = {"bound": bound.is_enabled, "ask": flags.is_enabled}
    return Contestant("wigwag", ask, names, "bound(FLAG)", fresh, fresh_hard)


def loaded(peers: Iterable[str]) -> tuple[list[Contestant], dict[str, str]]:
    """Return who decides right, and what is wrong with the others: they are not measured."""
    contestants, unfit = [wigwag()], {}
    assert not wrong_answers(contestants[0].ask)
    for name in peers:
        try:
            contestant = load(name)
            wrong = wrong_answers(contestant.ask, users=400)
        except Exception as error:  # noqa: BLE001  # another release of a peer must not end the benchmark
            unfit[name] = f"cannot be loaded: {error!r}"
            continue
        if wrong:
            unfit[name] = "; ".join(wrong)
            contestant.close()
        else:
            contestants.append(contestant)
    return contestants, unfit


# Measuring


def baselines() -> dict[tuple[str, str, str], timeit.Timer]:
    """Return what to measure by: the least that any decision, and any rollout, can cost in Python."""
    table = {f"other-{n}": n for n in range(OTHERS)}
    digest = mmh3.mmh3_32_uintdigest

    def look_up(key: str) -> int:
        return table[key]

    def bare_hash(flag: str, user_id: str) -> bool:
        return digest(f"{flag}:{user_id}".encode()) < 429496730

    def bare_hash_of_text(prefix: str, user_id: str) -> bool:
        return mmh3.hash(prefix + user_id, 0, False) < 429496730

    names = {"look_up": look_up, "bare_hash": bare_hash, "bare_hash_of_text": bare_hash_of_text, "u": "user-1234"}
    statements = {
        "dict look-up": "look_up('other-7')",
        "mmh3 and compare": "bare_hash('rollout', u)",
        "mmh3 and compare, unsafe": "bare_hash_of_text('rollout:', u)",
    }
    return {(name, "", ""): timeit.Timer(text, globals=names) for name, text in statements.items()}


def measured(contestants: Iterable[Contestant], rounds: int) -> list[dict[str, Any]]:
    """Return per contestant, row and kind the median of interleaved rounds, in ns."""
    timers = baselines()
    for contestant in contestants:
        timers |= {(contestant.name, row, kind): timer for (row, kind), timer in contestant.timers().items()}
    counts = {case: repetitions(timer) for case, timer in timers.items()}
    samples: dict[tuple[str, str, str], list[float]] = {case: [] for case in timers}
    gc.collect()
    for _ in range(rounds):
        for case, timer in timers.items():
            samples[case].append(timer.timeit(counts[case]) / counts[case] * 1e9)
    return [
        {"who": who, "row": row, "kind": kind, "ns": round(statistics.median(found), 1), "best": round(min(found), 1)}
        for (who, row, kind), found in samples.items()
    ]


def repetitions(timer: timeit.Timer) -> int:
    """Return how often a case fits into one round."""
    once = min(timer.repeat(3, 10)) / 10
    return max(1, int(ROUND_S / once))


# The result


def goals(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was aimed at, what was reached, and whether that is enough."""
    ns = {(f["who"], f["row"], f["kind"]): f["ns"] for f in figures}
    mine = {(row, kind): ns["wigwag", row, kind] for row in ROWS for kind in ("bound", "fresh")}
    look_up, bare = ns["dict look-up", "", ""], ns["mmh3 and compare", "", ""]
    aims = [
        ("killed flag, in dict look-ups", mine["off", "bound"] / look_up, 3),
        ("static flag, in dict look-ups", mine["static", "bound"] / look_up, 3),
        ("one rule, in dict look-ups", mine["rule", "bound"] / look_up, 4),
        ("rollout, in bare mmh3 calls", mine["rollout", "bound"] / bare, 2),
        ("hard flag, in rollouts", mine["hard", "bound"] / mine["rollout", "bound"], 2),
        *(
            (f"fresh context, {row}: added dict look-ups", (mine[row, "fresh"] - mine[row, "bound"]) / look_up, 4)
            for row in ROWS
        ),
    ]
    for (row, kind), own in mine.items():
        peers = [v for (who, r, k), v in ns.items() if (r, k) == (row, kind) and who != "wigwag"]
        if peers:
            aims.append((f"{row}, {kind}: share of the fastest peer", own / min(peers), 1))
    return [{"goal": text, "is": round(x, 2), "atMost": most, "met": x <= most} for text, x, most in aims]


def tables(result: dict[str, Any]) -> list[Any]:
    """Return the result as tables."""
    ns = {(f["who"], f["row"], f["kind"]): f["ns"] for f in result["decisions"]}
    look_up = ns["dict look-up", "", ""]
    simple = [(who, value, value / look_up) for (who, row, _), value in ns.items() if not row]
    simple += [(who, value, value / look_up if value else None) for who, value in result["stores"].items()]
    names = list(dict.fromkeys(who for who, row, _ in ns if row))
    lines = [(name, kind) for kind in ("bound", "fresh") for name in names]
    decisions = [(f"{name}, {kind}", *(ns[name, row, kind] for row in ROWS)) for name, kind in lines]
    notes = [f"{row}: {meaning}" for row, meaning in result["rows"].items()]
    if result["missing"]:
        notes.append(f"not installed: {', '.join(result['missing'])}; pip install -r bench/peers.txt")
    notes += [f"{name} was left out: {why}" for name, why in result["unfit"].items()]
    snapshots = [tuple(size.values()) for size in result["snapshots"]]
    aims = [(goal["goal"], goal["is"], goal["atMost"], "yes" if goal["met"] else "NO") for goal in result["goals"]]
    return [
        harness.table("To measure by", ["", "ns", "dict look-ups"], simple),
        harness.table("ns per decision", ["", *ROWS], decisions, caption="\n".join(notes)),
        harness.table("Snapshots", ["flags", "load ms", "KiB", "bytes per flag", "one patch µs"], snapshots),
        harness.table("Goals", ["", "is", "at most", "met"], aims),
    ]


if __name__ == "__main__":
    main()
