"""Waiting until a kill is in force everywhere, with a bar to look at, and saying where it is not."""

import asyncio
import re
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.flag_words import Plain
from wigwag.cli.output import note, plain

LOOK_EVERY_S = 0.15
NAMED = 20
TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|)")
UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}
# Those who have not confirmed: what the server calls them, and what that means.
LAGGARDS = {
    "pending": "connected, and has not confirmed",
    "lost": "its connection ended without a word",
    "unknown": "its server died, and it has not been heard of since",
}


def read_timeout(text: str) -> float:
    """Return the seconds in `10s`, `500ms`, `2m` or `10`. Raises ValueError."""
    match = TIME.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{text!r} is not a time such as 10s, 500ms or 2m")
    return float(match[1]) * UNITS_S[match[2]]


async def follow(admin: AdminClient, revision: int, timeout_s: float) -> Plain:
    """Wait until a revision is in force everywhere, and return the last that was seen of it. Raises Stop.

    A server that does not answer meanwhile, or has not heard of the revision yet, is asked again.
    """
    end = time.monotonic() + timeout_s
    seen: Plain | None = None
    with _bar() as bar:
        task = bar.add_task("confirmed", total=None)
        while seen is None or not seen["complete"]:
            try:
                async with asyncio.timeout(max(0.0, end - time.monotonic())):
                    seen = _checked(admin, await admin.propagation(revision))
                    _show(bar, task, seen)
            except TimeoutError:
                break
            except Stop:
                if seen is None and time.monotonic() + LOOK_EVERY_S > end:
                    raise
            if seen is not None and seen["complete"]:
                break
            await asyncio.sleep(max(0.0, min(LOOK_EVERY_S, end - time.monotonic())))
    if seen is None:
        why = f"nothing is known yet of where revision {revision} is in force"
        raise Stop(f"{why}: no answer within {timeout_s:g} s", ExitCode.UNREACHABLE)
    return seen


def verdict(seen: Plain) -> str:
    """Return in a line how far it is."""
    confirmed, of = seen["counts"]["confirmed"], seen["instances"]
    if not of:
        return "No instance is connected, so there is nobody to confirm it."
    times = seen["ms"]
    took = f"; p50 {times['p50']:g} ms, p99 {times['p99']:g} ms, max {times['max']:g} ms" if confirmed else ""
    left = f" {seen['counts']['left']} left meanwhile." if seen["counts"]["left"] else ""
    return f"In force in {confirmed} of {of} instances{took}.{left}"


def note_anonymous(seen: Plain) -> None:
    """Say that there are streams of which nobody can tell."""
    if number := seen.get("anonymousStreams"):
        note(f"{number} streams do not say whose they are, and cannot confirm.")


def note_laggards(seen: Plain) -> None:
    """Name those that have not confirmed; clients of one process share a line."""
    for kind, words in LAGGARDS.items():
        found: dict[str, list[Plain]] = {}
        for each in seen[kind]:
            found.setdefault(str(each["name"]), []).append(each)
        named = sorted(found.items())[:NAMED]
        for name, group in named:
            revisions = [each["revision"] for each in group if each.get("revision") is not None]
            at = f", at revision {min(revisions)}" if revisions else ""
            since = f"for {max(each['sinceAgoMs'] for each in group) / 1000:.0f} s"
            times = f" × {len(group)}" if len(group) > 1 else ""
            note(f"  {kind:<8} {plain(name)}{times}  ({words}{_behind(group)}{at}; {since})")
        if (more := seen["counts"][kind] - sum(len(group) for _, group in named)) > 0:
            note(f"  {kind:<8} … and {more} more")


def _behind(group: list[Plain]) -> str:
    """Return through which relays these are connected."""
    ways = sorted({" > ".join(map(str, each["relays"])) for each in group if each.get("relays")})
    return f", behind {plain(' and '.join(ways))}" if ways else ""


def _checked(admin: AdminClient, seen: Plain) -> Plain:
    if not {"complete", "counts", "instances", "ms", *LAGGARDS} <= seen.keys():
        raise Stop(f"{admin.server.url} says nothing of confirmations: it is of another version")
    return seen


def _bar() -> Progress:
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _show(bar: Progress, task: TaskID, seen: Plain) -> None:
    bar.update(task, completed=seen["counts"]["confirmed"], total=seen["instances"])
