"""`GET /metrics`: how the server and its leg to the store are, for Prometheus.

Collected when asked for, from what the parts count anyway; nothing here is kept twice.
"""

import time
from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from wigwag_proto.follower import Standing
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.hub.hub import Hub
from wigwag_server.metrics.flags import flag_metrics, total_metrics
from wigwag_server.metrics.server import commit_metrics, server_metrics, webhook_metrics
from wigwag_server.services import SERVICES, Services
from wigwag_server.web.operation import Media, operation


@operation(
    "Metrics for Prometheus",
    needs=(),
    whom="anybody; who sends an admin token is told more",
    gives={200: Media("text/plain")},
    refuses=(401, 403, 429, 503),
)
async def metrics(request: web.Request) -> web.Response:
    """Answer in the Prometheus text format.

    No key is needed. Flags are named for whoever sends an admin token only, of any role.
    """
    services = request.app[SERVICES]
    named: list[str] = []
    if "Authorization" in request.headers:
        scope = services.guard.admit_to(request, Right.READ).scope
        named = [name for name in services.catalogs if scope.covers_environment(name)]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(ServicesCollector(services, named))
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class ServicesCollector(Collector):
    """Reads the services at the moment of the scrape."""

    def __init__(self, services: Services, named: list[str]) -> None:
        """`named` are the environments whose flags are told one by one."""
        self._services = services
        self._named = named

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        services = self._services
        logs = [services.system, *services.environments.values()]
        yield from server_metrics(services)
        yield from _environment_metrics(logs)
        yield from commit_metrics(logs)
        yield from _hub_metrics(services.hubs)
        yield from _instance_metrics(services)
        yield from total_metrics(services)
        yield from webhook_metrics(services)
        if self._named:
            yield from flag_metrics(services, self._named)
        emergencies = GaugeMetricFamily(
            "wigwag_emergencies", "Kills in force that the store has not taken yet.", labels=["environment"]
        )
        for name, environment in services.environments.items():
            emergencies.add_metric([name], len(environment.replica.emergencies))
        yield emergencies


def _environment_metrics(environments: list[Environment]) -> Iterator[Metric]:
    labels = ["environment"]
    revision = GaugeMetricFamily("wigwag_revision", "The revision in force on this server.", labels=labels)
    degraded = GaugeMetricFamily(
        "wigwag_store_degraded", "1 while the state is not proven to be the store's.", labels=labels
    )
    age = GaugeMetricFamily(
        "wigwag_state_age_seconds", "How long ago the state was last proven to be the store's.", labels=labels
    )
    missed = CounterMetricFamily(
        "wigwag_store_feed_misses", "Comparisons that found commits which the feed had not told of.", labels=labels
    )
    standing = GaugeMetricFamily("wigwag_store_standing", "1 for how the store stands.", labels=[*labels, "standing"])
    now = time.monotonic()
    for environment in environments:
        name, follower = environment.name, environment.follower
        revision.add_metric([name], environment.replica.cursor.revision if environment.replica.cursor else 0)
        degraded.add_metric([name], environment.degraded)
        missed.add_metric([name], follower.missed)
        if follower.proven_at is not None:
            age.add_metric([name], max(0.0, now - follower.proven_at))
        for each in Standing:
            standing.add_metric([name, each.value], follower.standing is each)
    yield from (revision, degraded, age, missed, standing)


def _hub_metrics(hubs: dict[str, Hub]) -> Iterator[Metric]:
    labels = ["environment"]
    streams = GaugeMetricFamily("wigwag_streams", "Open streams.", labels=labels)
    behind = GaugeMetricFamily("wigwag_streams_behind", "Open streams that have not got all yet.", labels=labels)
    opened = CounterMetricFamily("wigwag_streams_opened", "Streams opened.", labels=[*labels, "outcome"])
    deliveries = CounterMetricFamily("wigwag_deliveries", "Writes that brought a stream further.", labels=labels)
    let_go = CounterMetricFamily("wigwag_streams_let_go", "Streams that took nothing for too long.", labels=labels)
    encoded = CounterMetricFamily("wigwag_snapshots_encoded", "Snapshots encoded.", labels=labels)
    for name, hub in hubs.items():
        streams.add_metric([name], len(hub.connections))
        behind.add_metric([name], hub.behind)
        deliveries.add_metric([name], hub.counts.deliveries)
        let_go.add_metric([name], hub.counts.let_go)
        encoded.add_metric([name], hub.counts.snapshots_encoded)
        for outcome, count in hub.counts.opened.items():
            opened.add_metric([name, str(outcome)], count)
    yield from (streams, behind, opened, deliveries, let_go, encoded)


def _instance_metrics(services: Services) -> Iterator[Metric]:
    labels = ["environment"]
    instances = GaugeMetricFamily("wigwag_instances", "Client instances connected to this server.", labels=labels)
    behind = GaugeMetricFamily(
        "wigwag_instances_behind", "Those that have not confirmed the state in force here yet.", labels=labels
    )
    for name in services.environments:
        presence = services.instances.of(name)
        instances.add_metric([name], presence.instances)
        behind.add_metric([name], presence.behind)
    yield from (instances, behind)
