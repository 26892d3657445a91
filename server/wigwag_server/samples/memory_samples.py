"""Samples in the memory of the one server that an embedded store has: they end with it, and are on no disk."""

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence

from wigwag_server.samples.sample_store import KEPT_S, KEY_BYTES, SAMPLED_FLAGS, SAMPLES_OF_FLAG, Kept, Taken


class MemorySamples:
    """Keeps samples in dicts."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._keys: dict[str, bytes] = {}
        self._flags: dict[str, dict[str, deque[Kept]]] = {}

    async def key(self, environment: str) -> bytes:
        """Return what the ids of an environment are hashed with."""
        return self._keys.setdefault(environment, secrets.token_bytes(KEY_BYTES))

    async def add(self, environment: str, samples: Sequence[Taken]) -> None:
        """Add samples; of each flag the latest stay."""
        now_s = int(self._now_s())
        flags = self._flags.setdefault(environment, {})
        for flag in [flag for flag, kept in flags.items() if now_s - kept[0].at_s >= KEPT_S]:
            del flags[flag]
        for each in samples:
            if each.flag not in flags:
                if len(flags) >= SAMPLED_FLAGS:
                    continue
                flags[each.flag] = deque(maxlen=SAMPLES_OF_FLAG)
            flags[each.flag].appendleft(Kept(now_s, each.data))

    async def read(self, environment: str, flag: str) -> list[Kept]:
        """Return the samples of a flag, the latest first."""
        after_s = self._now_s() - KEPT_S
        return [kept for kept in self._flags.get(environment, {}).get(flag, ()) if kept.at_s > after_s]

    async def forget(self, environment: str) -> None:
        """Drop all samples of an environment, and its key."""
        self._keys.pop(environment, None)
        self._flags.pop(environment, None)

    async def close(self) -> None:
        """There is nothing to release."""
