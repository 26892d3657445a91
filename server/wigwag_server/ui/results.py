"""What came of the sides and variants of a flag, as rows of a table with their intervals on one scale. Pure."""

from collections.abc import Mapping, Sequence
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
    between: Sequence[float] | None
    p95_ms: float | None
    bar: Markup
    given: int = 0
    share: float = 0.0
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """The tables, and what they say in words."""

    verdict: str
    sure: str
    sides: list[Fared]
    variants: list[Fared]


def shown_results(plain: Plain | None) -> Results | None:
    """Return what a page shows of results; None where there are none to be had."""
    if plain is None:
        return None
    sides = {f"Flag {name}": plain["outcomes"][name] for name in ("on", "off")}
    variants = {str(each["variant"]): each for each in plain["variants"]}
    return Results(
        verdict=plain["verdict"],
        sure=f"{plain['confidence'] * 100:g} %",
        sides=_fared(sides),
        variants=_fared(variants),
    )


def _fared(known: Mapping[str, Plain]) -> list[Fared]:
    # One scale, so that bars can be compared; it ends where the widest interval does.
    ends = [each["errorRateBetween"][1] for each in known.values() if each.get("errorRateBetween")]
    top = max(ends, default=1.0) or 1.0
    given = sum(each.get("exposures", 0) for each in known.values())
    return [_row(name, each, top, given) for name, each in known.items()]


def _row(name: str, each: Plain, top: float, given: int) -> Fared:
    low_high = each.get("errorRateBetween")
    exposures = each.get("exposures", 0)
    return Fared(
        name=name,
        runs=each.get("runs", 0),
        errors=each.get("errors", 0),
        rate=each.get("errorRate"),
        between=low_high,
        p95_ms=each.get("p95Ms"),
        bar=between(low_high[0], low_high[1], each["errorRate"], top) if low_high else Markup(""),
        given=exposures,
        share=100 * exposures / given if given else 0.0,
        verdict=each.get("verdict", ""),
    )
