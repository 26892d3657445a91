"""Metrics of flags: how many there are for everybody, and each by name for whoever may read flags."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from wigwag_server.services import Services

# Each flag is five series. Beyond this many a scrape would cost more than anybody looks at.
MOST_FLAGS = 1000


def total_metrics(services: Services) -> Iterator[Metric]:
    """Yield what names no flag."""
    labels = ["environment"]
    flags = GaugeMetricFamily("wigwag_flags", "Flags that there are.", labels=labels)
    kills = GaugeMetricFamily("wigwag_kills", "Flags that are killed, emergencies included.", labels=labels)
    unreadable = GaugeMetricFamily(
        "wigwag_unreadable_records", "Records that cannot be read: their last good version is in force.", labels=labels
    )
    decided = CounterMetricFamily(
        "wigwag_evaluations", "Decisions that clients have reported to this server.", labels=labels
    )
    for name, catalog in services.catalogs.items():
        records = catalog.records
        flags.add_metric([name], len(records.flags))
        kills.add_metric([name], len(_killed(services, name)))
        unreadable.add_metric([name], len(records.unreadable))
        decided.add_metric([name], sum(n for key, n in services.usage.decided.items() if key[0] == name))
    yield from (flags, kills, unreadable, decided)


def flag_metrics(services: Services, environments: list[str]) -> Iterator[Metric]:
    """Yield the state of each flag of these environments, up to a bound."""
    labels = ["environment", "flag"]
    enabled = GaugeMetricFamily("wigwag_flag_enabled", "1 where the ordinary switch is on.", labels=labels)
    killed = GaugeMetricFamily("wigwag_flag_killed", "1 where the flag is killed.", labels=labels)
    percentage = GaugeMetricFamily("wigwag_flag_rollout_percentage", "The share of users, 0 to 100.", labels=labels)
    decided = CounterMetricFamily(
        "wigwag_flag_evaluations",
        "Decisions that clients have reported to this server.",
        labels=[*labels, "enabled"],
    )
    left_out = GaugeMetricFamily(
        "wigwag_flags_left_out", "Flags beyond what is told one by one.", labels=["environment"]
    )
    for name in environments:
        flags = services.catalogs[name].records.flags
        killed_keys = _killed(services, name)
        # Killed ones first: they are what one looks for.
        shown = sorted(flags, key=lambda key: (key not in killed_keys, key))[:MOST_FLAGS]
        left_out.add_metric([name], len(flags) - len(shown))
        for key in shown:
            enabled.add_metric([name, key], flags[key].enabled)
            killed.add_metric([name, key], key in killed_keys)
            percentage.add_metric([name, key], flags[key].rollout_percentage)
            for on in (True, False):
                count = services.usage.decided.get((name, key, on))
                if count is not None:
                    decided.add_metric([name, key, str(on).lower()], count)
    yield from (enabled, killed, percentage, decided, left_out)


def _killed(services: Services, name: str) -> set[str]:
    flags = services.catalogs[name].records.flags
    out_of_band = {key for each in services.environments[name].replica.emergencies for key in each.keys}
    return {key for key, flag in flags.items() if flag.kill is not None} | (out_of_band & flags.keys())
