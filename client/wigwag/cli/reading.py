"""Commands that only look."""

import time

from wigwag.cli.arguments import Key
from wigwag.cli.call import Call, command
from wigwag.cli.flag_page import flag_page
from wigwag.cli.flag_table import counts, flag_table
from wigwag.cli.output import draw, note, say_json, width


@command
async def flags(call: Call) -> None:
    """List all flags of an environment."""
    async with call.admin() as admin:
        found = await admin.flags()
    if call.options.as_json:
        say_json(found)
    elif found:
        draw(flag_table(found, _now_ms(), width()))
        note(f"\n{counts(found, call.environment)} at {admin.server.url}")
    else:
        note(f"There are no flags in {call.environment} yet. This makes one: wigwag set my_flag --on")


@command
async def show(call: Call, key: Key) -> None:
    """Show one flag: whether it is on, for whom, and who killed it."""
    async with call.admin() as admin:
        flag = await admin.flag(key)
    if call.options.as_json:
        say_json(flag)
    else:
        draw(flag_page(flag, _now_ms()))


def _now_ms() -> int:
    return round(time.time() * 1000)
