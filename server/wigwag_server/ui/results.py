"""What came of the sides and variants of a flag, as rows of a table with their intervals on one scale. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from wigwag_server.ui.ramp_words import between

Plain = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fared:
    """How one side or variant fared."""

    name: str
    runs: int
    errors: int
    rate: float | None
    between: tuple[float, float] | None
    p95_ms: float | None
    bar: Markup


@dataclass(frozen=True, slots=True)
class Results:
    """The table, and what it says in words."""

    verdict: str
    sure: str
    sides: list[Fared]
    exposures: list[tuple[str, int, float]]


def shown_results(plain: Plain | None) -> Results | None:
    """Return what a page shows of results; None where there are none to be had."""
    if plain is None:
        return None
    sides = {f"Flag {name}": plain["outcomes"][name] for name in ("on", "off")}
    exposed = sum(each["exposures"] for each in plain["variants"])
    return Results(
        verdict=plain["verdict"],
        sure=f"{plain['confidence'] * 100:g} %",
        sides=list(_fared(sides)),
        exposures=[
            (each["variant"], each["exposures"], 100 * each["exposures"] / exposed)
            for each in plain["variants"]
            if exposed
        ],
    )


def _fared(known: Mapping[str, Plain]) -> Iterator[Fared]:
    # The scale ends where the widest interval does that says anything: a handful of runs may have failed at any rate.
    ends = [each["errorRateBetween"][1] for each in known.values() if each["errorRateBetween"]]
    top = max(ends, default=1.0) or 1.0
    for name, each in known.items():
        low_high = each["errorRateBetween"]
        bar = between(low_high[0], low_high[1], each["errorRate"], top) if low_high else Markup("")
        yield Fared(
            name=name,
            runs=each["runs"],
            errors=each["errors"],
            rate=each["errorRate"],
            between=tuple(low_high) if low_high else None,
            p95_ms=each["p95Ms"],
            bar=bar,
        )
