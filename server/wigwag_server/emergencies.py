"""Kills for when the store cannot be written to: in force at once, on this server's disk, committed when it is back."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_proto.disk_io import write_atomically
from wigwag_proto.errors import Malformed, StoreUnavailable
from wigwag_proto.flag import Kill
from wigwag_proto.replica import ABSORPTION, REVIVAL, without_revived
from wigwag_proto.snapshot import Emergency, Tables
from wigwag_server.admin.find import find_record
from wigwag_server.admin.flag_commands import ReviveFlag
from wigwag_server.environment import Environment
from wigwag_server.hub.hub import Announcement, Hub
from wigwag_server.kills_again import KillAgain

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
        kills = {key: _kill(each) for each in new for key in without_revived(each, revivals).keys}
        # A record that is damaged is no reason to let go of a kill, or of all of them.
        flags = {key: find_record(records, "flag", key) for key in kills if key in records.get("flag", {})}
        stamp = {"updatedAt": at, "revision": revision}
        return [
            *(Change("flag", key, {**flag, "kill": _plain(kills[key]), **stamp}) for key, flag in flags.items()),
            *(Change(ABSORPTION, each.id, {"at": at}) for each in new),
            *(Change(ABSORPTION, key, None) for key, value in known.items() if _is_old(value, at)),
        ]


@dataclass(frozen=True, slots=True)
class LiftKill:
    """Lift the kill that an emergency has become, if it is still that one which is in force."""

    action: ClassVar[str] = "flag.revive"

    key: str
    kill: Kill

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes; none when there is nothing of it left."""
        flag = records.get("flag", {}).get(self.key)
        if not isinstance(flag, Mapping) or flag.get("kill") != _plain(self.kill):
            return []
        return ReviveFlag(self.key)(records, revision, at)


def _kill(emergency: Emergency) -> Kill:
    return Kill(by=emergency.by, reason=emergency.reason, at=emergency.at)


def _plain(kill: Kill) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(kill)
    return plain


def _is_old(absorption: Any, now: int) -> bool:
    at = absorption.get("at") if isinstance(absorption, Mapping) else None
    return isinstance(at, int) and now - at > REMEMBER_MS


class Saved(msgspec.Struct, frozen=True, rename="camel"):
    """What is on the disk.

    `called_off` are emergencies with that flag of theirs which was revived before the log had them. `lost` are kills
    that the store's history went on without, by the ids of the emergencies that stand in for them.
    """

    emergencies: tuple[Emergency, ...] = ()
    called_off: tuple[Emergency, ...] = ()
    lost: dict[str, Any] = msgspec.field(default_factory=dict)


class Emergencies:
    """Those that this server has declared in one environment. Follows it as a listener."""

    def __init__(self, environment: Environment, hub: Hub, file: Path) -> None:
        self._environment = environment
        self._hub = hub
        self._file = file
        self._own: dict[str, Emergency] = {}
        self._called_off: dict[str, Emergency] = {}
        self._lost: dict[str, Any] = {}
        self._too_late: dict[str, Emergency] = {}  # called off, and in the log: perhaps their kill is, too
        self._changed = asyncio.Event()
        self._saving = asyncio.Lock()
        self.watchers: list[Callable[[], None]] = []  # told when others are in force than before
        self.on_declared: list[Callable[[Emergency], None]] = []
        self.on_called_off: list[Callable[[str], None]] = []  # told the key of a flag
        self.durable = True  # whether what is in force is on the disk

    async def open(self) -> None:
        """Put back into force what was declared before this server was stopped."""
        try:
            saved = msgspec.convert(decode(await asyncio.to_thread(self._file.read_bytes)), Saved)
        except FileNotFoundError:
            return
        except (OSError, Malformed, msgspec.ValidationError) as error:
            logger.error("the emergencies in %s cannot be read: %s", self._file, error)  # noqa: TRY400 - no traceback
            return
        self._own |= {each.id: each for each in saved.emergencies}
        self._called_off |= {each.id: each for each in saved.called_off}
        self._lost |= saved.lost
        self.loaded()
        self._environment.replica.add_emergencies(each for each in self._own.values() if each.keys)
        self._changed_in_force()  # an environment is opened while the server runs: there may be streams already
        self._changed.set()

    async def declare(self, keys: Sequence[str], by: str, reason: str) -> tuple[Emergency, int]:
        """Kill flags without the store. Returns the emergency, and how many streams were told."""
        # Later than every revival in the log, whatever the clocks say of the servers that made those.
        at = max(round(time.time() * 1000), self._environment.replica.at + 1)
        emergency = Emergency(secrets.token_hex(8), tuple(keys), by, reason, at)
        announcement = self._begin([emergency])
        for hook in self.on_declared:
            hook(emergency)
        await self._save()
        self._changed.set()
        told = await self._hub.told(announcement)
        logger.warning("emergency %s by %s kills %s: %d streams were told", emergency.id, by, ", ".join(keys), told)
        return emergency, told

    def hold(self, kills: Mapping[str, Any]) -> None:
        """Keep kills in force, by flag, that the store's history goes on without, until they are in it again."""
        due = KillAgain(kills)(self._environment.replica.records, 0, round(time.time() * 1000))
        begun = []
        for key in (change.key for change in due):
            kill = msgspec.convert(kills[key], Kill)
            emergency = Emergency(secrets.token_hex(8), (key,), kill.by, kill.reason, kill.at)
            self._lost[emergency.id] = kills[key]
            begun.append(emergency)
        if begun:
            self._begin(begun)
            self._changed.set()

    def holds(self, key: str) -> bool:
        """Say whether a flag is in an emergency declared here."""
        return any(key in each.keys for each in self._own.values())

    async def call_off(self, key: str) -> bool:
        """Take a flag out of the emergencies declared here; say whether it was in one."""
        concerned = [each for each in self._own.values() if key in each.keys]
        for each in concerned:
            rest = tuple(other for other in each.keys if other != key)
            self._lost.pop(each.id, None)
            self._called_off[each.id] = msgspec.structs.replace(each, keys=(key,))
            # What was told under the old id ends; the other flags of it go on under a new one.
            self._own[each.id] = msgspec.structs.replace(each, keys=())
            self._environment.replica.end_emergencies((each.id,))
            if rest:
                again = msgspec.structs.replace(each, id=secrets.token_hex(8), keys=rest)
                self._own[again.id] = again
                self._environment.replica.add_emergencies([again])
        if concerned:
            self._changed_in_force(ended=tuple(each.id for each in concerned))
            for hook in self.on_called_off:
                hook(key)
            await self._save()
            self._changed.set()
        return bool(concerned)

    def _changed_in_force(self, ended: tuple[str, ...] = ()) -> Announcement:
        announcement = self._hub.emergencies_changed(ended)
        for watcher in self.watchers:
            watcher()
        return announcement

    async def run(self) -> None:
        """Commit what was declared as soon as the store can be written to. Runs until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._save()
            await self._proof_after(time.monotonic())
            try:
                await self._absorb()
            except StoreUnavailable as error:
                logger.warning("emergencies of %s are not in the store yet: %s", self._environment.name, error)
                self._changed.set()

    def _begin(self, emergencies: Sequence[Emergency]) -> Announcement:
        self._own |= {each.id: each for each in emergencies}
        self._environment.replica.add_emergencies(emergencies)
        return self._changed_in_force()

    async def _proof_after(self, moment: float) -> None:
        """Wait until the store has answered: what was declared was declared because it did not."""
        follower = self._environment.follower
        await self._environment.wait_until(
            lambda: not self._environment.degraded and (follower.proven_at or 0.0) > moment
        )

    async def _absorb(self) -> None:
        """Do all that is due. Each step may be done again: what it finds done already, it leaves alone."""
        lost = [each for each in self._own.values() if each.id in self._lost]
        if lost:
            kills = {key: self._lost[each.id] for each in lost for key in each.keys}
            cursor = await self._environment.commit(KillAgain(kills))
            logger.warning("kills that were lost are in force again at %s: %s", cursor, ", ".join(kills))
            for each in lost:
                # What stood in for it ends like one that was called off.
                if self._lost.pop(each.id, None) is not None:
                    self._own[each.id] = msgspec.structs.replace(each, keys=())
        cursor = await self._environment.commit(Absorb(tuple(self._own.values())))
        logger.warning("emergencies of %s are in the store at %s", self._environment.name, cursor)
        self.loaded()
        for each in list(self._too_late.values()):
            for key in each.keys:
                await self._environment.commit(LiftKill(key, _kill(each)))
            del self._too_late[each.id]
        await self._save()

    # As a listener.

    def loaded(self) -> None:
        """Drop what the log has absorbed."""
        self._forget(self._environment.replica.records.get(ABSORPTION, ()))

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Drop what the commit absorbs."""
        self._forget(commit.absorbs)

    def _forget(self, ids: Iterable[str]) -> None:
        for each in ids:
            self._own.pop(each, None)
            self._lost.pop(each, None)
            if (called_off := self._called_off.pop(each, None)) is not None:
                # A commit that was under way, or whose answer was lost, may have killed its flag.
                self._too_late[each] = called_off
                self._changed.set()

    async def _save(self) -> None:
        async with self._saving:
            called_off = (*self._called_off.values(), *self._too_late.values())
            saved = Saved(tuple(self._own.values()), called_off, self._lost)
            try:
                await asyncio.to_thread(write_atomically, self._file, encode(msgspec.to_builtins(saved)))
            except OSError as error:
                self.durable = False
                logger.error("emergencies are in force but not on the disk: %s", error)  # noqa: TRY400 - no traceback
            else:
                self.durable = True
