"""`make demo-rollout`: a ramp that meets a bug, and turns back by itself.

A server, and an app under simulated load: the code behind `checkout` fails for 1 % of its requests, and from the 10 %
stage on, where it is on, for 5 %. Counted is whom that hurt, and whom it would have hurt with the usual way: everybody
gets it at once, and fifteen minutes later it is rolled back.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from examples.demo.children import server_child
from wigwag import FlagClient, Settings
from wigwag.cli.admin_client import AdminClient
from wigwag.cli.connection import Server
from wigwag.cli.rollout import headline
from wigwag_proto.tasks_io import Tasks

KEY = "checkout"
REQUESTS_PER_S = 500
USUAL, WITH_BUG = 0.01, 0.05
BUG_FROM = 10
PLAN = {
    "stages": [1, 10, 50, 100],
    "interval": "5s",
    "guard": {"maxErrorIncrease": 0.0, "minSamples": 20, "falseAlarm": 0.01},
}
BASELINE_S = 15 * 60


class Failed(Exception):
    """What the simulated code raises."""


@dataclass(slots=True)
class App:
    """The simulated app. `hurt` are requests that failed for the bug alone."""

    flags: FlagClient
    rng: random.Random
    requests: int = 0
    hurt: int = 0

    async def run(self) -> None:
        """Answer requests at a steady rate. Runs until cancelled."""
        began = time.monotonic()
        while True:
            while self.requests < (time.monotonic() - began) * REQUESTS_PER_S:
                self.requests += 1
                with suppress(Failed):
                    self.answer(f"user-{self.rng.randrange(100_000)}")
            await asyncio.sleep(0.01)

    def answer(self, user: str) -> None:
        """Do what an app does: ask the flag, run its code, and have counted how that ended. Raises Failed."""
        on = self.flags.is_enabled(KEY, user_id=user)
        flag = self.flags.bind().flag(KEY)
        bug = on and flag is not None and flag.rollout_percentage >= BUG_FROM
        with self.flags.guard(KEY, enabled=on):
            draw = self.rng.random()
            if draw < (WITH_BUG if bug else USUAL):
                self.hurt += bug and draw >= USUAL
                raise Failed


async def main(say: Callable[[str], None]) -> bool:
    """Tell the story; say whether the bug was found."""
    with tempfile.TemporaryDirectory(prefix="wigwag-demo-") as folder, server_child(Path(folder), None) as server:
        admin = AdminClient(Server(server.url, server.admin_token, "the demo", "the demo"), "production")
        settings = Settings(cache_dir=None, report_every_s=0.5)
        async with admin, FlagClient(server.url, server.server_key, settings=settings) as flags:
            await admin.put(KEY, {"enabled": True, "rolloutPercentage": 0}, None)
            app, tasks = App(flags, random.Random()), Tasks()
            tasks.start("requests", app.run())
            say(f"{REQUESTS_PER_S} requests a second; 1 % of them fail, and 5 % where the new code meets its bug.\n")
            try:
                found = await _ramp(admin, app, say)
            finally:
                await tasks.close()
    baseline = round(REQUESTS_PER_S * BASELINE_S * (WITH_BUG - USUAL))
    say(f"\n  {app.hurt:>8,} requests were hurt by the bug, until it was found and rolled back by itself")
    say(f"  {baseline:>8,} would have been with everybody at once, and back after 15 minutes")
    if app.hurt:
        say(f"  {baseline / app.hurt:>8,.0f} times as many")
    return found["status"] == "rolledBack"


async def _ramp(admin: AdminClient, app: App, say: Callable[[str], None]) -> dict[str, object]:
    began, said = time.monotonic(), ""
    found = await admin.post("flags", KEY, "rollout", body=PLAN)
    while True:
        line = headline(found)
        if line != said:
            said = line
            say(f"  {time.monotonic() - began:6.1f} s  {app.requests:>7,} requests  {line}")
        if found["status"] != "running":
            return found
        await asyncio.sleep(0.2)
        found = await admin.get("flags", KEY, "rollout")


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(print)) else 1)
