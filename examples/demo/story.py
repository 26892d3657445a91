"""What happens in the demo, in order."""

import os
import sys
from pathlib import Path

import aiohttp

from examples.demo.children import Place
from examples.demo.flags import FLAGS, KILLED, delete_flags, make_flags
from examples.demo.kill import kill_and_measure
from examples.demo.screen import Screen
from examples.demo.traffic import REQUESTS_PER_S, Traffic
from wigwag.cli.admin_client import AdminClient
from wigwag.cli.connection import Server
from wigwag.cli.flag_words import summary
from wigwag_proto.tasks_io import Tasks

BEFORE_S = 4.0
AFTER_S = 1.5


async def tell(place: Place, screen: Screen) -> None:
    """Make the flags, send visitors, kill one flag; on a terminal, stay. Raises DemoFailed and Stop."""
    _introduce(place, screen)
    server = Server(place.server.url, place.server.admin_token, "the demo", "the demo")
    # Nobody needs to be told at the end that what is deleted was in use.
    async with AdminClient(server, "production", warn=lambda _: None) as admin, aiohttp.ClientSession() as session:
        await make_flags(admin)
        try:
            screen.line("Three flags, made through the admin API:\n")
            for key in FLAGS:
                screen.line(f"  {key:<29} {summary(await admin.flag(key))}")
            await _act(place, screen, admin, session)
        finally:
            if place.store is not None:
                await delete_flags(admin)


async def _act(place: Place, screen: Screen, admin: AdminClient, session: aiohttp.ClientSession) -> None:
    traffic = Traffic(session, place.shop_url)
    tasks = Tasks()
    tasks.start("visitors", traffic.run())
    try:
        screen.line(f"\nVisitors ask the shop, {REQUESTS_PER_S} a second, each with another user id, plan and so on:\n")
        await screen.watch(traffic.counts, BEFORE_S)
        screen.line(f"\nNow {KILLED} is killed, while the requests go on.\n")
        measured = await kill_and_measure(admin, session, place.shop_url)
        traffic.forget()
        screen.line(f"  {measured.acknowledged_ms:6.1f} ms  until the kill was acknowledged: it is stored")
        screen.line(f"  {measured.changed_ms:6.1f} ms  until the shop's answers changed")
        screen.line(f"             {measured.since:,} more answers to a premium user since then, all of them off\n")
        await screen.watch(traffic.counts, AFTER_S)
        if screen.terminal:
            screen.complete = True
            screen.line(_what_to_try(place))
            await screen.watch(traffic.counts, None)
    finally:
        await tasks.close()
    screen.line(f"\n{traffic.answered:,} requests in all, {traffic.failed} failed.")


def _introduce(place: Place, screen: Screen) -> None:
    screen.line("wigwag: a kill, from the command to the answers of an app\n")
    screen.line(f"  server  {place.server.url}   on {_store(place.store)}")
    screen.line(f"  shop    {place.shop_url}   examples/shop.py, an aiohttp app with a FlagClient\n")
    if place.store is not None:
        screen.line(
            "The demo uses the production environment of that store as it is: the three flags are added to what is\n"
            "there, and deleted at the end; the keys that --dev makes stay.\n"
        )


def _what_to_try(place: Place) -> str:
    folder = Path(sys.executable).parent
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    server, wigwag = place.server, folder / "wigwag"
    return f"""
It stays up. Try this in another terminal, in this folder, and watch the answers below:

  export WIGWAG_URL={server.url}
  export WIGWAG_TOKEN={server.admin_token}
  export WIGWAG_KEY={server.server_key}

  {wigwag} flags
  {wigwag} revive {KILLED}
  {wigwag} set new_recommendation_algorithm --rollout 50
  {wigwag} kill experimental_feature --reason "just trying"
  {wigwag} tail
  curl '{place.shop_url}/?user=user_123&plan=premium&beta=true'

Ctrl-C ends it and leaves nothing behind.
"""


def _store(store: str | None) -> str:
    """Name the store, without the password that may be in its URL."""
    if store is None:
        return "SQLite, in a temporary file"
    scheme, separator, rest = store.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else f"{store} ({os.fspath(Path.cwd())})"
