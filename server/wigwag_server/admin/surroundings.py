"""What is known around the flags of an environment: who asks for them, in code and in fact."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.errors import StoreUnavailable
from wigwag_server.admin.flag_life import DAY_MS, SETTLED_DAYS, Known, Life, flag_life, may_be_settled
from wigwag_server.environment import Environment
from wigwag_server.environments import environment_record
from wigwag_server.references.uploads import count_uses
from wigwag_server.services import Services
from wigwag_server.usage.series import read_series
from wigwag_server.usage.usage_store import Size

USAGE_TIMEOUT_S = 2.0
DAY_S = 86_400


class Surroundings(msgspec.Struct, frozen=True):
    """What is known around all flags of an environment."""

    now_ms: int
    life_days: int
    killed: frozenset[str]
    asked_s: Mapping[str, int]
    uses: Mapping[str, int]
    code_known: bool
    usage_known: bool
    settled_ms: Mapping[str, int] = {}

    def known(self, key: str) -> Known:
        """Return what is known around one."""
        return Known(
            now_ms=self.now_ms,
            life_days=self.life_days,
            killed=key in self.killed,
            asked_ms=self.asked_s[key] * 1000 if key in self.asked_s else None,
            settled_ms=self.settled_ms.get(key),
            uses=self.uses.get(key, 0) if self.code_known else None,
        )

    def life(self, key: str, flag: Any) -> Life:
        """Return where a flag stands."""
        return flag_life(key, flag, self.known(key))


async def surroundings(services: Services, environment: Environment) -> Surroundings:
    """Return what is known around the flags of an environment; usage is left out where its store does not answer."""
    system = services.system.replica.records
    uses, code_known = count_uses(system)
    asked, usage_known = await _asked(services, environment.name)
    killed = frozenset(key for each in environment.replica.emergencies for key in each.keys)
    now_ms = round(time.time() * 1000)
    flags = list(environment.replica.records.get("flag", {}).items())
    unsure = [(key, flag) for key, flag in flags if may_be_settled(flag, now_ms, killed=key in killed)]
    return Surroundings(
        now_ms=now_ms,
        life_days=environment_record(system, environment.name).expected_life_days,
        killed=killed,
        asked_s=asked,
        uses=uses,
        code_known=code_known,
        usage_known=usage_known,
        settled_ms=await services.settled.since(environment, unsure),
    )


async def still_asked(services: Services, environment: Environment, key: str) -> str:
    """Return what is to be said to whoever takes away a flag that code asks for; "" where none is known to."""
    uses = count_uses(services.system.replica.records)[0].get(key, 0)
    parts = [f"code asks for it in {_many(uses, 'place')} (wigwag references {key})"] if uses else []
    if often := await _often(services, environment.name, key):
        parts.append(f"it was asked for {_many(often, 'time')} in the last 24 hours")
    elif key in (asked := (await _asked(services, environment.name))[0]):
        days = (round(time.time()) - asked[key]) * 1000 // DAY_MS
        if days < SETTLED_DAYS:
            parts.append(f"it was last asked for {_many(days, 'day')} ago")
    return f"'{key}' is still in use: {', and '.join(parts)}." if parts else ""


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


async def _often(services: Services, name: str, key: str) -> int:
    """Return how often apps have told that a flag was asked for; 0 where the usage store does not answer."""
    try:
        async with asyncio.timeout(USAGE_TIMEOUT_S):
            buckets = await services.usage.store.read(name, key, Size.HOUR, DAY_S)
    except (StoreUnavailable, TimeoutError):
        return 0
    asked = (counts for text, counts in buckets.series.items() if read_series(text)[0] == "usage")
    return sum(sum(counts.values()) for counts in asked)


async def _asked(services: Services, name: str) -> tuple[Mapping[str, int], bool]:
    try:
        async with asyncio.timeout(USAGE_TIMEOUT_S):
            return await services.usage.store.asked(name), True
    except (StoreUnavailable, TimeoutError):
        return {}, False
