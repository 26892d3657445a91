"""The dead man's switch: a flag with `failSafeAfter` is off wherever it is not known to be current."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults import fail_safe_child
from tests.support.proxy import proxying
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag import FlagClient, Reason, Settings
from wigwag_proto.supervisor import Patience

HEARTBEAT_S = 0.1
FAIL_SAFE_S = 0.5
HASTY = Settings(cache_dir=None, patience=Patience(poll_interval_s=0.1, poll_after_s=0.2))


@asynccontextmanager
async def guarded(store: str, tmp_path: Path) -> AsyncGenerator[Server]:
    """Run a server with short heartbeats, and a flag that is off where nothing was proven for half a second."""
    async with running(store, data_dir=tmp_path / "data", heartbeat_s=HEARTBEAT_S) as server:
        await server.put("guarded", enabled=True, failSafeAfter=FAIL_SAFE_S)
        await server.put("plain", enabled=True)
        yield server


def reason(flags: FlagClient) -> Reason:
    return flags.explain("guarded").reason


def proven_at(flags: FlagClient) -> float:
    """Return when the flags were last proven current, on the monotonic clock."""
    age_s = flags.status.age_s
    return float("-inf") if age_s is None else time.monotonic() - age_s


def is_proven_since(flags: FlagClient, moment: float) -> bool:
    """Return whether the flag is on by a proof that is later than this."""
    return proven_at(flags) > moment and reason(flags) is Reason.STATIC


async def test_with_a_server_that_follows_its_store_it_is_proven_again_and_again(tmp_path: Path) -> None:
    async with guarded(f"sqlite:{tmp_path / 'f.db'}", tmp_path) as server, server.client() as flags:
        begun = time.monotonic()
        await until(lambda: is_proven_since(flags, begun + 4 * FAIL_SAFE_S), "proofs beyond the switch")


async def test_a_link_that_goes_quiet_turns_the_flag_off_until_there_is_proof_again(tmp_path: Path) -> None:
    async with guarded(f"sqlite:{tmp_path / 'f.db'}", tmp_path) as server:
        host, port = server.url.removeprefix("http://").split(":")
        async with (
            proxying(host, int(port)) as proxy,
            FlagClient(f"http://127.0.0.1:{proxy.port}", server.key, settings=HASTY) as flags,
        ):
            assert flags.is_enabled("guarded")
            pinned = flags.bind(user_id="u1")
            proxy.go_quiet()
            await until(lambda: reason(flags) is Reason.FAIL_SAFE, "the switch")
            assert not pinned.is_enabled("guarded")
            assert flags.is_enabled("plain")
            proxy.go_quiet(quiet=False)
            proxy.cut()
            await until(lambda: flags.is_enabled("guarded"), "proof")
            assert pinned.is_enabled("guarded")


async def test_a_server_that_has_lost_its_store_proves_nothing_although_its_heart_beats(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with guarded(own_redis.url, tmp_path) as server, server.client() as flags:
        assert flags.is_enabled("guarded")
        await own_redis.stop()
        await until(lambda: reason(flags) is Reason.FAIL_SAFE, "the switch")
        assert flags.status.connected
        async with server.client() as late:
            assert late.explain("guarded").reason is Reason.FAIL_SAFE
        await own_redis.start()
        await until(lambda: flags.is_enabled("guarded"), "proof")


async def test_a_snapshot_from_disk_is_not_current_until_it_is_proven(tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache")
    async with guarded(f"sqlite:{tmp_path / 'f.db'}", tmp_path) as server:
        async with FlagClient(server.url, server.key, settings=settings) as flags:
            assert flags.is_enabled("guarded")
            await until(lambda: any((tmp_path / "cache").glob("*.snapshot")), "the file")
        url, key = server.url, server.key
    async with FlagClient(url, key, settings=settings) as flags:
        assert flags.is_enabled("plain")
        assert reason(flags) is Reason.FAIL_SAFE


async def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(f"sqlite:{tmp_path / 'f.db'}", tmp_path) as server, server.client() as flags:
        real = time.time
        for jump_s in (86_400, -86_400):
            await until(lambda: time.monotonic() - proven_at(flags) < HEARTBEAT_S, "a fresh proof")
            # The wall clock of the machine is not ours to set: it is the one thing that is patched here.
            monkeypatch.setattr(time, "time", lambda jump_s=jump_s: real() + jump_s)
            assert reason(flags) is Reason.STATIC
            jumped = time.monotonic()
            await until(lambda: is_proven_since(flags, jumped + 2 * FAIL_SAFE_S), "proofs after it")  # noqa: B023
            assert 0 <= time.monotonic() - proven_at(flags) < 60


async def test_heartbeats_that_waited_while_the_process_was_suspended_do_not_count(tmp_path: Path) -> None:
    async with guarded(f"sqlite:{tmp_path / 'f.db'}", tmp_path) as server:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, fail_safe_child.__file__, server.url, server.key), stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"STATIC\n"
        child.send_signal(signal.SIGSTOP)
        hub = server.services.hubs["production"]
        (connection,) = hub.connections
        suspended_at = time.monotonic()
        # Heartbeats go on and wait in the buffers of the suspended process.
        await until(lambda: time.monotonic() - suspended_at > 3, "three seconds of heartbeats")
        assert connection in hub.connections
        child.send_signal(signal.SIGCONT)
        async with asyncio.timeout(20):
            assert await child.stdout.readline() == b"FAIL_SAFE\n"
            assert await child.stdout.readline() == b"STATIC\n"
            assert await child.wait() == 0


async def test_a_switch_that_a_late_heartbeat_would_trip_is_refused(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'f.db'}") as server:
        answer = await server.ask("POST", "/admin/flags/guarded", json={"failSafeAfter": 10})
        assert answer.status == 422
        assert "at least 15 seconds" in answer.body["errors"][0]["detail"]
        assert (await server.put("guarded", enabled=True, failSafeAfter=15))["failSafeAfter"] == 15
