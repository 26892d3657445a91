"""`wigwag guard …`: what kills a flag by itself when the code behind it fares too badly."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, Key
from wigwag.cli.call import Call, command, group
from wigwag.cli.guard_options import FalseAlarm, MaxErrorIncrease, MaxErrorRate, MaxP95Increase, MinSamples, limits
from wigwag.cli.output import plain, say, say_json
from wigwag.cli.tables import moment

Plain = dict[str, Any]


@command
async def set_guard(
    call: Call,
    key: Key,
    *,
    max_error_rate: MaxErrorRate = None,
    max_error_increase: MaxErrorIncrease = None,
    max_p95_increase: MaxP95Increase = None,
    min_samples: MinSamples = None,
    false_alarm: FalseAlarm = None,
    window: Annotated[
        str | None, typer.Option("--window", metavar="TIME", help="Runs are judged in windows.  [default: 10m]")
    ] = None,
    cool_down: Annotated[
        str | None, typer.Option("--cool-down", metavar="TIME", help="It acts again after this.  [default: 10m]")
    ] = None,
    only_say: Annotated[
        bool, typer.Option("--only-say", help="Kill nothing, say what it would have killed.", show_default=False)
    ] = False,
    comment: Comment = "",
) -> None:
    """Have a flag killed when too much fails behind it."""
    body = limits(max_error_rate, max_error_increase, max_p95_increase, min_samples, false_alarm)
    given = {"window": window, "coolDown": cool_down, "dryRun": only_say, "comment": comment}
    body |= {name: value for name, value in given.items() if value}
    async with call.admin() as admin:
        _tell(call, await admin.post("flags", key, "guard", body=body))


@command
async def show_guard(call: Call, key: Key) -> None:
    """Show what guards a flag, and when that last acted."""
    async with call.admin() as admin:
        _tell(call, await admin.get("flags", key, "guard"))


@command
async def remove_guard(call: Call, key: Key, *, comment: Comment = "") -> None:
    """Take the guard away. What it has killed stays killed."""
    async with call.admin() as admin:
        await admin.remove("flags", key, "guard", query=[("comment", comment)] if comment else ())
    if call.options.as_json:
        return say_json({"removed": key, "environment": call.environment})
    return say(f"{key} in {call.environment} is guarded no more")


def _tell(call: Call, found: Plain) -> None:
    if call.options.as_json:
        return say_json(found)
    allowed = [
        (found["maxErrorRate"], "errors above {:.2%}"),
        (found["maxErrorIncrease"], "{:.2%} more errors than with the flag off"),
        (found["maxP95Increase"], "a 95th percentile that is {:.0%} longer than with the flag off"),
    ]
    limit = ", ".join(words.format(value) for value, words in allowed if value is not None)
    does = "says so at" if found["dryRun"] else "is killed at"
    say(f"{found['flag']} in {found['environment']} {does}: {limit}")
    if found["actedAt"] is not None:
        say(f"it acted at {moment(found['actedAt'])}: {plain(found['reason'])}")
    return None


guard = group(
    "Kills by itself, when too much fails.",
    ("set", set_guard),
    ("show", show_guard),
    ("remove", remove_guard),
)
