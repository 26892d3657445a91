"""Which store a URL names."""

from pathlib import Path

from wigwag_proto.errors import WigwagError
from wigwag_server.store.redis import SETTLE_S, RedisStore
from wigwag_server.store.redis_link import SCHEMES
from wigwag_server.store.sqlite import SqliteStore
from wigwag_server.store.store import Store


class UnknownStore(WigwagError):
    """A store URL of a scheme that there is no store for."""


async def open_store(url: str, *, settle_s: float = SETTLE_S, wait_replicas: int = 0) -> Store:
    """Open `sqlite:path`, or a Redis at an address that `redis_link.connect` takes.

    Raises UnknownStore for another scheme, StoreInUse and StoreUnavailable where the embedded store cannot be opened.
    A Redis that does not answer is no error here: the server starts from its own disk copy and waits for it.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest.removeprefix("//"):
        return await SqliteStore.open(Path(rest.removeprefix("//")))
    if scheme in SCHEMES:
        try:
            return RedisStore.from_url(url, settle_s=settle_s, wait_replicas=wait_replicas)
        except ValueError as error:
            raise UnknownStore(f"{without_passwords(url)!r}: {error}") from None
    raise UnknownStore(f"{without_passwords(url)!r} names no store: use sqlite:wigwag.db or redis://host:6379/0")


def without_passwords(url: str) -> str:
    """Return the URL of a store as it may be shown: passwords stand before the hosts, those of Sentinels behind."""
    scheme, separator, rest = url.partition("://")
    rest, query, _ = rest.partition("?")
    login, at, hosts = rest.rpartition("@")
    return f"{scheme}{separator}{'…' if login else ''}{at}{hosts}{'?…' if query else ''}"
