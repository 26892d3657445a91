"""The Python SDKs of others, offline and loaded with the same flags: one module each, which needs its distribution.

All are set up as their documentation says for use without a network: no analytics, no polling, events off where there
is a switch. Where a library has no context that outlives a call, `bound` is what it allows to be prepared.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from bench.contest import Contestant

PEERS = {
    "eppo-server-sdk": "eppo",
    "statsig-python-core": "statsig",
    "launchdarkly-server-sdk": "launchdarkly",
    "UnleashClient": "unleash",
    "growthbook": "growthbook_sdk",
    "flagsmith": "flagsmith_sdk",
    "openfeature-sdk": "openfeature_sdk",
}


def load(distribution: str) -> Contestant:
    """Return a peer, loaded. Raises whatever it raises."""
    contestant: Contestant = import_module(f"bench.peers.{PEERS[distribution]}").load()
    return contestant


def missing_peers() -> list[str]:
    """Return the distributions that are not installed here."""
    missing = []
    for name in PEERS:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing
