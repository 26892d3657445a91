"""Connections to Redis or Valkey: at an address, at whatever Sentinels say is the primary, or at those of a Cluster."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, Protocol
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from wigwag_proto.errors import Malformed, StoreRefused, StoreUnavailable
from wigwag_server.store.redis_cluster import ClusterLink
from wigwag_server.store.redis_sentinel import SentinelLink

TIMEOUT_S = 1.0
# No answer, or one that is not what these commands answer: something else than Redis may be at that address.
UNUSABLE = (RedisError, OSError, TimeoutError, Malformed, ValueError, TypeError, LookupError, AttributeError)
ONE = ("redis", "rediss", "unix")
SENTINEL = ("redis+sentinel", "rediss+sentinel")
CLUSTER = ("redis+cluster", "rediss+cluster")
SCHEMES = (*ONE, *SENTINEL, *CLUSTER)


class Link(Protocol):
    """Where the keys are. Connecting is lazy: a Redis that is away is an error only when it is asked."""

    def at(self, key: str) -> Redis:
        """Return the Redis that has a key, and all others of the same hash tag."""

    async def close(self) -> None:
        """Close every connection."""


class OneLink:
    """All keys are at one address."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def at(self, key: str) -> Redis:  # noqa: ARG002 - every key is there
        """Return that one."""
        return self._redis

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()


class KeyScript:
    """A Lua script, run where its keys are."""

    def __init__(self, link: Link, text: str) -> None:
        self._link = link
        self._text = text
        self._sha = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - the name by which Redis knows it

    async def __call__(self, keys: Sequence[str], args: Sequence[Any], client: Redis | None = None) -> Any:
        """Run it, over a connection of the caller's if one is given. Raises RedisError."""
        redis = client or self._link.at(keys[0])
        try:
            return await redis.evalsha(self._sha, len(keys), *keys, *args)
        except NoScriptError:  # it has not run
            return await redis.eval(self._text, len(keys), *keys, *args)


def connect(url: str, timeout_s: float = TIMEOUT_S) -> Link:
    """Return a link to the Redis of this URL. Raises ValueError."""
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        # A retry of the library's could make a commit twice, count twice what was counted although its answer was
        # lost, and would hide that a subscription had a gap.
        "retry": Retry(NoBackoff(), 0),
    }
    scheme = urlsplit(url).scheme
    if scheme in SENTINEL:
        return SentinelLink(url, options)
    if scheme in CLUSTER:
        return ClusterLink(url, options)
    return OneLink(Redis.from_url(url, **options))


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise StoreUnavailable for whatever is wrong with Redis."""
    try:
        yield
    except ResponseError as error:
        raise StoreRefused(f"Redis: {error}") from error
    except UNUSABLE as error:
        raise StoreUnavailable(f"Redis: {str(error) or type(error).__name__}") from error


def script(package: str, *names: str) -> str:
    """Return the text of the scripts of these names, one after the other."""
    folder = resources.files(package)
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
