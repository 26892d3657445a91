"""Metrics of a server as a whole. Pure but for the clock."""

import time
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from wigwag_server.environment import Environment
from wigwag_server.services import Services
from wigwag_server.webhooks.queue import Item
from wigwag_server.webhooks.webhook import webhooks_of


def server_metrics(services: Services) -> Iterator[Metric]:
    """Yield them."""
    build = GaugeMetricFamily("wigwag_build_info", "1, with the version.", labels=["version"])
    build.add_metric([version("wigwag")], 1)
    failures = CounterMetricFamily("wigwag_task_failures", "Background tasks that have failed.")
    failures.add_metric([], services.tasks.failures)
    draining = GaugeMetricFamily("wigwag_draining", "1 while the server sends its streams elsewhere.")
    draining.add_metric([], services.draining)
    refused = CounterMetricFamily(
        "wigwag_failed_authentications", "Requests with a key that is not valid.", labels=["outcome"]
    )
    for outcome in ("unauthorized", "throttled"):
        refused.add_metric([outcome], services.guard.refused[outcome])
    sending = GaugeMetricFamily("wigwag_snapshots_sending", "Snapshots that are being sent by /v1/snapshot now.")
    sending.add_metric([], services.snapshots_sending)
    yield from (build, failures, draining, refused, sending)


def commit_metrics(environments: list[Environment]) -> Iterator[Metric]:
    """Yield how long commits take, from the command to the disk."""
    labels = ["environment"]
    took = HistogramMetricFamily(
        "wigwag_commit_duration_seconds", "From the command until the commit is acknowledged.", labels=labels
    )
    failed = CounterMetricFamily(
        "wigwag_commit_failures", "Commits that the store did not acknowledge in time.", labels=labels
    )
    for environment in environments:
        times = environment.commit_times
        took.add_metric([environment.name], buckets=times.buckets, sum_value=times.sum_s)
        failed.add_metric([environment.name], environment.commits_failed)
    yield from (took, failed)


def webhook_metrics(services: Services) -> Iterator[Metric]:
    """Yield how the outbox is, as this server knows it."""
    webhooks = services.webhooks
    known = webhooks_of(services.system.replica.records)
    waiting: list[Item] = [item for webhook_id in known for item in webhooks.waiting(webhook_id)]
    there = GaugeMetricFamily("wigwag_webhooks", "Webhooks that there are.")
    there.add_metric([], len(known))
    outbox = GaugeMetricFamily("wigwag_webhook_events_waiting", "Events that are not delivered yet.")
    outbox.add_metric([], len(waiting))
    oldest = GaugeMetricFamily(
        "wigwag_webhook_oldest_waiting_seconds", "How long ago the oldest event that waits has happened."
    )
    oldest.add_metric([], max(0.0, time.time() - min((each.at for each in waiting), default=time.time() * 1000) / 1000))
    attempts = CounterMetricFamily(
        "wigwag_webhook_deliveries", "Deliveries of this server, by how they ended.", labels=["outcome"]
    )
    for outcome in ("delivered", "failed", "given_up"):
        attempts.add_metric([outcome], webhooks.log.counts[outcome] + webhooks.own.counts[outcome])
    sender = GaugeMetricFamily("wigwag_webhook_sender", "1 where this is the server that sends what the logs tell.")
    sender.add_metric([], webhooks.log.sending)
    yield from (there, outbox, oldest, attempts, sender)
