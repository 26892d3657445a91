"""Connections to Redis or Valkey: at an address, or at whatever Sentinels say is the primary."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from wigwag_proto.errors import Malformed, StoreRefused, StoreUnavailable

TIMEOUT_S = 1.0
# No answer, or one that is not what these commands answer: something else than Redis may be at that address.
UNUSABLE = (RedisError, OSError, TimeoutError, Malformed, ValueError, TypeError, LookupError, AttributeError)


SENTINEL = ("redis+sentinel", "rediss+sentinel")
SCHEMES = ("redis", "rediss", "unix", *SENTINEL)
SENTINEL_PORT = 26379


def connect(url: str, timeout_s: float = TIMEOUT_S) -> Redis:
    """Return a lazy connection: a Redis that is away is an error only when it is asked. Raises ValueError."""
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        # A retry of the library's could make a commit twice, count twice what was counted although its answer was
        # lost, and would hide that a subscription had a gap.
        "retry": Retry(NoBackoff(), 0),
    }
    if urlsplit(url).scheme not in SENTINEL:
        return Redis.from_url(url, **options)
    return _by_sentinels(url, options)


async def disconnect(redis: Redis) -> None:
    """Close every connection, also those to Sentinels, which the library leaves open."""
    await redis.aclose()
    if isinstance(pool := redis.connection_pool, SentinelConnectionPool):
        for each in pool.sentinel_manager.sentinels:
            await each.aclose()


def _by_sentinels(url: str, options: dict[str, Any]) -> Redis:
    """Return a connection to the primary of `redis+sentinel://user:password@host:port,host:port/service/0`.

    Each new connection asks the Sentinels who that is. One that meets a read-only replica, which was the primary
    before, is given up by the library. What the query says (`ssl_ca_certs`, say) is for Redis; `sentinel_username`
    and `sentinel_password` are for the Sentinels, to whom the same TLS applies.
    """
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service or not (database or "0").isdecimal():
        raise ValueError("name the Sentinels and the service: redis+sentinel://host:26379,host:26379/service/0")
    query = dict(parse_qsl(parts.query))
    own = {"username": query.pop("sentinel_username", None), "password": query.pop("sentinel_password", None)}
    username, _, password = credentials.partition(":")
    # The library knows how to read what a query may say; it wants a URL of one host for that.
    scheme = parts.scheme.partition("+")[0]
    read: dict[str, Any] = dict(parse_url(f"{scheme}://localhost/{database or 0}?{urlencode(query)}"))
    read.pop("host", None)
    read.pop("port", None)
    if read.pop("connection_class", None) is not None:
        read["ssl"] = True
    tls = {name: value for name, value in read.items() if name.startswith("ssl")}
    addresses = [_address(each) for each in hosts.split(",")]
    sentinels = Sentinel(addresses, sentinel_kwargs={**options, **own, **tls})  # type: ignore[no-untyped-call]
    login = {"username": unquote(username) or None, "password": unquote(password) or None}
    redis: Redis = sentinels.master_for(service, **{**options, **read, **login})  # redis-py leaves it untyped
    return redis


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(SENTINEL_PORT)
    if not host or not port.isdecimal():
        raise ValueError(f"{text!r} is no Sentinel: use host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


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
