"""Kills for when the store cannot be written to: in force at once, on this server's disk, committed when it is back."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_proto.disk_io import write_atomically
from wigwag_proto.errors import Malformed, StoreUnavailable
from wigwag_proto.flag import Kill
from wigwag_proto.replica import ABSORPTION, REVIVAL, without_revived
from wigwag_proto.snapshot import Emergency, Tables
from wigwag_server.admin.flag_commands import ReviveFlag
from wigwag_server.environment import Environment
from wigwag_server.hub.hub import Hub

logger = logging.getLogger(__name__)

# How long the log remembers what it absorbed: until then an emergency that turns up again is known to be over.
REMEMBER_MS = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Absorb:
    """Put emergencies into the log: kill their flags, in one revision, each emergency exactly once.

    One that was called off before it got here has no keys left; it is put down as absorbed all the same, so that
    whoever heard of it and not of its end learns of that.
    """

    action: ClassVar[str] = "flag.emergency"

    emergencies: tuple[Emergency, ...]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes; none when the log has absorbed all of them already."""
        known = records.get(ABSORPTION, {})
        new = [each for each in self.emergencies if each.id not in known]
        if not new:
            return []
        revivals = records.get(REVIVAL, {})
        kills = {
            key: Kill(by=each.by, reason=each.reason, at=each.at)
            for each in new
            for key in without_revived(each, revivals).keys
        }
        flags = records.get("flag", {})
        stamp = {"updatedAt": at, "revision": revision}
        return [
            *(
                Change("flag", key, {**flags[key], "kill": msgspec.to_builtins(kill), **stamp})
                for key, kill in kills.items()
                if isinstance(flags.get(key), Mapping)
            ),
            *(Change(ABSORPTION, each.id, {"at": at}) for each in new),
            *(Change(ABSORPTION, key, None) for key, value in known.items() if at - value["at"] > REMEMBER_MS),
        ]


class Emergencies:
    """Those that this server has declared in one environment. Follows it as a listener."""

    def __init__(self, environment: Environment, hub: Hub, file: Path) -> None:
        self._environment = environment
        self._hub = hub
        self._file = file
        self._own: dict[str, Emergency] = {}
        self._called_off: set[tuple[str, str]] = set()  # emergency and flag, since the last commit
        self._changed = asyncio.Event()
        self._saving = asyncio.Lock()
        self.watchers: list[Callable[[], None]] = []  # told when others are in force than before
        self.durable = True  # whether what is in force is on the disk

    async def open(self) -> None:
        """Put back into force what was declared before this server was stopped."""
        try:
            saved = decode(await asyncio.to_thread(self._file.read_bytes))
            self._own = {each.id: each for each in msgspec.convert(saved, tuple[Emergency, ...])}
        except FileNotFoundError:
            return
        except (OSError, Malformed, msgspec.ValidationError) as error:
            logger.error("the emergencies in %s cannot be read: %s", self._file, error)  # noqa: TRY400 - no traceback
            return
        self._forget(self._environment.replica.records.get(ABSORPTION, ()))
        self._environment.replica.add_emergencies(self._own.values())
        self._changed.set()

    async def declare(self, keys: Sequence[str], by: str, reason: str) -> tuple[Emergency, int]:
        """Kill flags without the store. Returns the emergency, and how many streams were told at once."""
        emergency = Emergency(secrets.token_hex(8), tuple(keys), by, reason, round(time.time() * 1000))
        self._own[emergency.id] = emergency
        self._environment.replica.add_emergencies([emergency])
        told = self._changed_in_force()
        logger.warning("emergency %s by %s kills %s: %d streams were told", emergency.id, by, ", ".join(keys), told)
        await self._save()
        self._changed.set()
        return emergency, told

    def holds(self, key: str) -> bool:
        """Say whether a flag is in an emergency declared here."""
        return any(key in each.keys for each in self._own.values())

    async def call_off(self, key: str) -> bool:
        """Take a flag out of the emergencies declared here; say whether it was in one."""
        concerned = [each for each in self._own.values() if key in each.keys]
        for each in concerned:
            self._called_off.add((each.id, key))
            rest = tuple(other for other in each.keys if other != key)
            # What was told under the old id ends; the other flags of it go on under a new one.
            self._own[each.id] = msgspec.structs.replace(each, keys=())
            self._environment.replica.end_emergencies((each.id,))
            if rest:
                again = msgspec.structs.replace(each, id=secrets.token_hex(8), keys=rest)
                self._own[again.id] = again
                self._environment.replica.add_emergencies([again])
        if concerned:
            self._changed_in_force(ended=tuple(each.id for each in concerned))
            await self._save()
            self._changed.set()
        return bool(concerned)

    def _changed_in_force(self, ended: tuple[str, ...] = ()) -> int:
        told = self._hub.emergencies_changed(ended)
        for watcher in self.watchers:
            watcher()
        return told

    async def run(self) -> None:
        """Commit what was declared as soon as the store can be written to. Runs until cancelled."""
        while True:
            await self._changed.wait()
            await self._proof_after(time.monotonic())
            self._changed.clear()
            try:
                await self._absorb(tuple(self._own.values()))
            except StoreUnavailable as error:
                logger.warning("emergencies of %s are not in the store yet: %s", self._environment.name, error)
                self._changed.set()

    async def _proof_after(self, moment: float) -> None:
        """Wait until the store has answered: what was declared was declared because it did not."""
        follower = self._environment.follower
        await self._environment.wait_until(
            lambda: not self._environment.degraded and (follower.proven_at or 0.0) > moment
        )

    async def _absorb(self, emergencies: tuple[Emergency, ...]) -> None:
        cursor = await self._environment.commit(Absorb(emergencies))
        logger.warning("emergencies of %s are in the store at %s", self._environment.name, cursor)
        self._forget(self._environment.replica.records.get(ABSORPTION, ()))
        # What was called off while the commit was on its way has been killed by it.
        too_late = {key for each in emergencies for key in each.keys if (each.id, key) in self._called_off}
        for key in too_late:
            await self._environment.commit(ReviveFlag(key))
        self._called_off.clear()
        await self._save()

    # As a listener.

    def loaded(self) -> None:
        """Drop what the log has absorbed."""
        self._forget(self._environment.replica.records.get(ABSORPTION, ()))

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Drop what the commit absorbs."""
        self._forget(commit.absorbs)

    def _forget(self, ids: Sequence[str] | Mapping[str, object]) -> None:
        for each in ids:
            self._own.pop(each, None)

    async def _save(self) -> None:
        async with self._saving:
            data = encode(msgspec.to_builtins(tuple(self._own.values())))
            try:
                await asyncio.to_thread(write_atomically, self._file, data)
            except OSError as error:
                self.durable = False
                logger.error("emergencies are in force but not on the disk: %s", error)  # noqa: TRY400 - no traceback
            else:
                self.durable = True
