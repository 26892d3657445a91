"""Where an import comes from: a file of our own, a hash in Redis, or a file of flagd."""

from pathlib import Path
from typing import Any

from wigwag.cli.documents import read_document
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.importers.flagd import from_flagd
from wigwag.cli.importers.hash import from_hash
from wigwag.cli.importers.imported import Imported

SOURCES = ("redis", "flagd")
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
TIMEOUT_S = 10.0


async def read_source(source: str | None, where: str, hash_name: str) -> Imported:
    """Read what is to be imported. Raises Stop."""
    if source is None and where.startswith(REDIS_SCHEMES):
        raise Stop(f"to import from a Redis, say so: wigwag import --from redis {_shown(where)}", ExitCode.USAGE)
    if source is None:
        return Imported(read_document(Path(where)))
    if source == "flagd":
        return from_flagd(read_document(Path(where)))
    if source == "redis":
        return from_hash(await _read_hash(where, hash_name))
    raise Stop(f"--from takes {' or '.join(SOURCES)}, not {source!r}", ExitCode.USAGE)


async def _read_hash(url: str, name: str) -> dict[bytes, bytes]:
    """HGETALL. Raises Stop."""
    if not url.startswith(REDIS_SCHEMES):
        raise Stop(f"the URL of a Redis begins with redis:// or rediss://, unlike {_shown(url)!r}", ExitCode.USAGE)
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - only this needs it, and the extra `cli` does not bring it
        from redis.exceptions import RedisError  # noqa: PLC0415
    except ModuleNotFoundError:
        raise Stop('this needs the Redis library: pip install "wigwag[server]"', ExitCode.USAGE) from None
    redis: Any = None
    try:
        redis = Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)
        found: dict[bytes, bytes] = await redis.hgetall(name)
    except (RedisError, OSError, ValueError) as error:
        raise Stop(f"the hash {name!r} cannot be read from {_shown(url)}: {error}", ExitCode.UNREACHABLE) from None
    finally:
        if redis is not None:
            await redis.aclose()
    if not found:
        raise Stop(f"there is no hash {name!r} in {_shown(url)}, or it is empty; --hash names another")
    return found


def _shown(url: str) -> str:
    """Return a URL without the password in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
