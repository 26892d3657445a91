"""A connection to Redis for what is kept beside the logs: its own, so that it never stands in front of a commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from wigwag_proto.errors import Malformed, StoreRefused, StoreUnavailable

TIMEOUT_S = 1.0
# No answer, or one that is not what these commands answer: something else than Redis may be at that address.
UNUSABLE = (RedisError, OSError, TimeoutError, Malformed, ValueError, TypeError, LookupError, AttributeError)


def connect(url: str) -> Redis:
    """Return a lazy connection: a Redis that is away is an error only when it is asked. Raises ValueError."""
    # A retry of the library's would count twice what was counted although its answer was lost.
    return Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0))


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
