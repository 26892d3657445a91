"""What a store keeps beside its logs: the roster of instances, usage, and samples. The store's URL says which kind."""

from pathlib import Path

from wigwag_server.instances.redis_roster import RedisRoster
from wigwag_server.instances.roster import Roster
from wigwag_server.instances.sqlite_roster import SqliteRoster
from wigwag_server.samples.memory_samples import MemorySamples
from wigwag_server.samples.redis_samples import RedisSamples
from wigwag_server.samples.sample_store import SampleStore
from wigwag_server.usage.redis_usage import RedisUsage
from wigwag_server.usage.sqlite_usage import SqliteUsage
from wigwag_server.usage.usage_store import UsageStore


async def open_beside(url: str, *, instances_limit: int) -> tuple[Roster, UsageStore]:
    """Open both, for a URL that `open_store` takes. Raises StoreUnavailable (embedded store only)."""
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite":
        return RedisRoster.from_url(url, limit=instances_limit), RedisUsage.from_url(url)
    database = Path(rest.removeprefix("//"))
    roster = await SqliteRoster.open(database.with_name(f"{database.name}.instances"), limit=instances_limit)
    try:
        return roster, await SqliteUsage.open(database.with_name(f"{database.name}.usage"))
    except BaseException:
        await roster.close()
        raise


def open_samples(url: str) -> SampleStore:
    """Open the samples, for a URL that `open_store` takes."""
    return MemorySamples() if url.startswith("sqlite:") else RedisSamples.from_url(url)
