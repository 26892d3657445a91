"""What is counted of a flag, as the text under which a usage store keeps it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wigwag_proto.codec import decode, encode
from wigwag_proto.decision import Reason
from wigwag_proto.flag import Flag
from wigwag_proto.telemetry import OutcomeRow, Telemetry, UsageRow
from wigwag_server.usage.usage_store import OTHERS, Batch, Count

REASONS = frozenset(Reason)


def batch_of(report: Telemetry, flags: Mapping[str, Flag]) -> Batch:
    """Return the counts of a report, for flags that there are; of other names only that they were asked for."""
    counts: dict[tuple[str, str], int] = {}
    unknown: dict[str, int] = {}
    for row in report.usage:
        flag = flags.get(row.flag)
        if flag is None:
            unknown[row.flag] = unknown.get(row.flag, 0) + row.count
        elif row.reason != Reason.UNKNOWN_FLAG:  # it was unknown a moment ago
            _add(counts, row.flag, _decided(row, flag), row.count)
    for outcome in report.outcomes:
        flag = flags.get(outcome.flag)
        if flag is not None:
            for series, amount in _fared(outcome, flag):
                _add(counts, outcome.flag, series, amount)
    rows = [Count(flag, series, amount) for (flag, series), amount in counts.items()]
    return Batch(report.instance.id, report.batch, rows, unknown)


def read_series(text: str) -> list[Any]:
    """Return what a series stands for: `["usage", enabled, reason, variant]` or `["outcome", enabled, what, variant]`.

    Outcomes of no known variant have three parts. What a side has is the sum of all of its series.
    """
    parts: list[Any] = decode(text)
    return parts


def _decided(row: UsageRow, flag: Flag) -> list[Any]:
    """Return the series of a decision. Clients name reasons and variants, so what nobody knows is one series."""
    reason = row.reason if row.reason in REASONS else OTHERS
    return ["usage", row.enabled, reason, _variant(row.variant, flag)]


def _variant(name: str | None, flag: Flag) -> str | None:
    return name if name is None or any(name == variant.name for variant in _variants(flag)) else OTHERS


def _variants(flag: Flag) -> Iterator[Any]:
    yield from flag.variants
    for override in flag.overrides:
        yield from override.variants


def _fared(row: OutcomeRow, flag: Flag) -> Iterable[tuple[list[Any], int]]:
    variant = [] if row.variant is None else [_variant(row.variant, flag)]
    buckets = [(f"bucket{number}", count) for number, count in enumerate(row.durations)]
    for what, amount in (("calls", row.calls), ("errors", row.errors), ("durationMs", row.duration_ms), *buckets):
        if amount:
            yield ["outcome", row.enabled, what, *variant], amount


def _add(counts: dict[tuple[str, str], int], flag: str, series: list[Any], amount: int) -> None:
    key = flag, encode(series).decode()
    counts[key] = counts.get(key, 0) + amount
