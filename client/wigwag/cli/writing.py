"""Commands that kill, revive and delete flags."""

import sys
from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Key, Timeout
from wigwag.cli.call import Call, command
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.flag_words import summary
from wigwag.cli.output import note, say, say_json
from wigwag.cli.proof import follow, note_anonymous, note_laggards, verdict
from wigwag.cli.terminal import typed_line

Plain = dict[str, Any]

WAIT_S = 10.0


@command
async def kill(
    call: Call,
    key: Key,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Shown to whoever looks.", show_default=False)] = "",
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every app has confirmed it.", show_default=False)
    ] = False,
    timeout_s: Timeout = None,
) -> None:
    """Turn a flag off for everyone, now, above all its rules. Nothing is asked.

    The configuration stays as it is, and "revive" puts it in force again. With --wait it ends with 0 only when every
    instance that was connected has confirmed that the flag is off in it, and else names those that have not.
    """
    async with call.admin() as admin:
        flag = await admin.kill(key, reason)
        words = f"killed {where(call, flag)}. It is off for everyone until: wigwag revive {key}"
        if "emergency" in flag:
            words = f"killed {key} in {call.environment} as an emergency. {flag.get('detail', '')}"
        if not wait and timeout_s is None:
            return tell(call, flag, words)
        if "emergency" in flag:
            tell(call, flag, words)
            raise Stop("without the store it cannot be told who has it in force", ExitCode.NOT_CONFIRMED)
        if not call.options.as_json:
            say(words)
        seen = await follow(admin, flag["revision"], WAIT_S if timeout_s is None else timeout_s)
    tell(call, {**flag, "propagation": seen}, verdict(seen))
    note_anonymous(seen)
    if not seen["complete"]:
        note_laggards(seen)
        raise Stop("not everybody has confirmed it in time", ExitCode.NOT_CONFIRMED)
    return None


@command
async def revive(call: Call, key: Key) -> None:
    """Lift a kill: the flag's configuration is in force again."""
    async with call.admin() as admin:
        before = await admin.flag(key)
        flag = await admin.revive(key)
    if before.get("kill") is None:
        tell(call, flag, f"{key} is not killed. It is {summary(flag)}.")
    else:
        tell(call, flag, f"revived {where(call, flag)}. It is {summary(flag)}.")


@command
async def delete(
    call: Call, key: Key, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.", show_default=False)] = False
) -> None:
    """Delete a flag: code that still asks for it gets its default."""
    async with call.admin() as admin:
        flag = await admin.flag(key)
        if not yes:
            await _ask(call, key, flag)
        await admin.delete(key)
    if call.options.as_json:
        say_json({"deleted": key, "environment": call.environment})
    else:
        say(f"deleted {key} in {call.environment}")


async def _ask(call: Call, key: str, flag: Plain) -> None:
    if not sys.stdin.isatty():
        raise Stop(f"to delete without a terminal to ask on, say so: wigwag delete {key} --yes", ExitCode.USAGE)
    note(f"{key} in {call.environment} is {summary(flag)}.")
    note("Type its key again to delete it:")
    if (await typed_line()).strip() != key:
        raise Stop("that is another key; nothing was deleted")


def tell(call: Call, flag: Plain, words: str) -> None:
    """Write the flag as JSON where that is asked for, else the words."""
    if call.options.as_json:
        say_json(flag)
    else:
        say(words)


def where(call: Call, flag: Plain) -> str:
    """Return which flag it is, where, and since which revision."""
    return f"{flag.get('key')} in {call.environment}, revision {flag.get('revision')}"
