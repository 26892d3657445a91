"""How a flag was decided, from the counts in its buckets. Pure."""

from collections import Counter
from typing import Any

from wigwag_server.usage.series import read_series
from wigwag_server.usage.usage_store import Buckets, Size


def percent(part: int, whole: int) -> float | None:
    """Return the share of a whole; of nothing there is no share."""
    return round(100 * part / whole, 3) if whole else None


def metrics(buckets: Buckets, size: Size) -> dict[str, Any]:
    """Return sums, shares, and what was counted over time; buckets in which nothing was counted are left out."""
    by_enabled: Counter[bool] = Counter()
    variants: Counter[str | None] = Counter()
    reasons: Counter[str] = Counter()
    over_time: dict[int, Counter[Any]] = {}
    outcomes: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for text, counts in buckets.series.items():
        kind, enabled, *rest = read_series(text)
        total = sum(counts.values())
        if kind == "outcome":
            outcomes[enabled][rest[0]] += total
            continue
        reason, variant = rest
        by_enabled[enabled] += total
        reasons[reason] += total
        if variant is not None:
            variants[variant] += total
        for at, count in counts.items():
            bucket = over_time.setdefault(at, Counter())
            bucket[enabled] += count
            if variant is not None:
                bucket[variant] += count
    decided = by_enabled.total()
    return {
        "bucketS": size.value,
        "total": decided,
        "enabled": by_enabled[True],
        "disabled": by_enabled[False],
        "enabledPercent": percent(by_enabled[True], decided),
        "disabledPercent": percent(by_enabled[False], decided),
        "byVariant": _shares("variant", variants, decided),
        "byReason": _shares("reason", reasons, decided),
        "outcomes": {"on": _fared(outcomes[True]), "off": _fared(outcomes[False])},
        "buckets": [_bucket(at, over_time[at]) for at in sorted(over_time)],
    }


def _shares(name: str, counts: Counter[Any], whole: int) -> list[dict[str, Any]]:
    return [{name: key, "count": n, "percent": percent(n, whole)} for key, n in counts.most_common()]


def _bucket(at: int, counts: Counter[Any]) -> dict[str, Any]:
    enabled, disabled = counts[True], counts[False]
    variants = {name: count for name, count in counts.items() if isinstance(name, str)}
    share = percent(enabled, enabled + disabled)
    return {"at": at * 1000, "enabled": enabled, "disabled": disabled, "enabledPercent": share, "byVariant": variants}


def _fared(counts: Counter[str]) -> dict[str, Any]:
    calls = counts["calls"]
    return {
        "calls": calls,
        "errors": counts["errors"],
        "errorPercent": percent(counts["errors"], calls),
        "meanMs": round(counts["durationMs"] / calls, 3) if calls else None,
    }
