"""Which store a URL names."""

from pathlib import Path

from wigwag_proto.errors import WigwagError
from wigwag_server.store.redis import SETTLE_S, RedisStore
from wigwag_server.store.sqlite import SqliteStore
from wigwag_server.store.store import Store


class UnknownStore(WigwagError):
    """A store URL of a scheme that there is no store for."""


async def open_store(url: str, *, settle_s: float = SETTLE_S) -> Store:
    """Open `sqlite:path` or `redis://…`, `rediss://…`, `unix://…`.

    Raises UnknownStore for another scheme, StoreInUse and StoreUnavailable where the embedded store cannot be opened.
    A Redis that does not answer is no error here: the server starts from its own disk copy and waits for it.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest.removeprefix("//"):
        return await SqliteStore.open(Path(rest.removeprefix("//")))
    if scheme in ("redis", "rediss", "unix"):
        try:
            return RedisStore.from_url(url, settle_s=settle_s)
        except ValueError as error:
            raise UnknownStore(f"{without_password(url)!r}: {error}") from None
    raise UnknownStore(f"{without_password(url)!r} names no store: use sqlite:wigwag.db or redis://host:6379/0")


def without_password(url: str) -> str:
    """Return the URL of a store as it may be shown."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if separator and "@" in rest else url
