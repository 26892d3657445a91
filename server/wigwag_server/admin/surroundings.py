"""What is known around the flags of an environment: who asks for them, in code and in fact."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.errors import StoreUnavailable
from wigwag_server.admin.flag_life import DAY_MS, SETTLED_DAYS, Known, Life, flag_life
from wigwag_server.environment import Environment
from wigwag_server.environments import environment_record
from wigwag_server.references.uploads import count_uses
from wigwag_server.services import Services

USAGE_TIMEOUT_S = 2.0


class Surroundings(msgspec.Struct, frozen=True):
    """What is known around all flags of an environment."""

    now_ms: int
    life_days: int
    killed: frozenset[str]
    asked_s: Mapping[str, int]
    uses: Mapping[str, int]
    code_known: bool
    usage_known: bool

    def known(self, key: str) -> Known:
        """Return what is known around one."""
        return Known(
            now_ms=self.now_ms,
            life_days=self.life_days,
            killed=key in self.killed,
            asked_ms=self.asked_s[key] * 1000 if key in self.asked_s else None,
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
    return Surroundings(
        now_ms=round(time.time() * 1000),
        life_days=environment_record(system, environment.name).expected_life_days,
        killed=frozenset(key for each in environment.replica.emergencies for key in each.keys),
        asked_s=asked,
        uses=uses,
        code_known=code_known,
        usage_known=usage_known,
    )


async def still_asked(services: Services, environment: Environment, key: str) -> str:
    """Return what is to be said to whoever takes away a flag that code asks for; "" where none is known to."""
    around = await surroundings(services, environment)
    known = around.known(key)
    parts = [f"code asks for it in {known.uses} places (wigwag references {key})"] if known.uses else []
    if known.asked_ms is not None and (days := (known.now_ms - known.asked_ms) // DAY_MS) < SETTLED_DAYS:
        parts.append(f"it was last asked for {f'{days} days ago' if days else 'today'}")
    return f"'{key}' is still in use: {', and '.join(parts)}." if parts else ""


async def _asked(services: Services, name: str) -> tuple[Mapping[str, int], bool]:
    try:
        async with asyncio.timeout(USAGE_TIMEOUT_S):
            return await services.usage.store.asked(name), True
    except (StoreUnavailable, TimeoutError):
        return {}, False
