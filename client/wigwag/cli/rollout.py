"""`wigwag rollout …`: ramps that go on by themselves, with a view of how they are doing."""

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.arguments import Comment, Key
from wigwag.cli.call import Call, command, group
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.guard_options import FalseAlarm, MaxErrorIncrease, MaxErrorRate, MaxP95Increase, MinSamples, limits
from wigwag.cli.output import draw, plain, say, say_json

Plain = dict[str, Any]

LOOK_EVERY_S = 1.0
STYLES = {"running": "green", "done": "green", "paused": "yellow", "rolledBack": "bold red", "killed": "bold red"}

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show how it goes on.", show_default=False)]


@command
async def start(
    call: Call,
    key: Key,
    *,
    stages: Annotated[str, typer.Option("--stages", metavar="LIST", help="Percentages.")] = "1,5,10,25,50,100",
    interval: Annotated[str, typer.Option("--interval", metavar="TIME", help="How long each lasts at least.")] = "1h",
    max_error_rate: MaxErrorRate = None,
    max_error_increase: MaxErrorIncrease = None,
    max_p95_increase: MaxP95Increase = None,
    min_samples: MinSamples = None,
    false_alarm: FalseAlarm = None,
    on_breach: Annotated[
        str | None, typer.Option("--on-breach", metavar="WHAT", help="pause, rollback or kill.  [default: rollback]")
    ] = None,
    rollback_to: Annotated[
        str | None, typer.Option("--rollback-to", metavar="WHERE", help="zero or previous.  [default: zero]")
    ] = None,
    watch: Watch = False,
    comment: Comment = "",
) -> None:
    """Move the percentage of a flag on by itself, stage by stage.

    With one of the limits, the errors and durations behind the flag are watched, and it does not go on with a bug.
    """
    guard = limits(max_error_rate, max_error_increase, max_p95_increase, min_samples, false_alarm)
    guard |= {n: value for n, value in (("onBreach", on_breach), ("rollbackTo", rollback_to)) if value is not None}
    body: Plain = {"stages": _percentages(stages), "interval": interval}
    body |= {name: value for name, value in (("guard", guard), ("comment", comment)) if value}
    async with call.admin() as admin:
        found = await admin.post("flags", key, "rollout", body=body)
        await _show(call, admin, key, found, watch=watch)


@command
async def status(call: Call, key: Key, *, watch: Watch = False) -> None:
    """Show how far it is, and what was measured at its stage."""
    async with call.admin() as admin:
        await _show(call, admin, key, await admin.get("flags", key, "rollout"), watch=watch)


@command
async def pause(call: Call, key: Key, *, comment: Comment = "") -> None:
    """Stop for now; the percentage stays as it is."""
    await _steer(call, key, "pause", comment)


@command
async def resume(call: Call, key: Key, *, comment: Comment = "") -> None:
    """Go on from where the flag is by now; its stage begins anew."""
    await _steer(call, key, "resume", comment)


@command
async def abort(call: Call, key: Key, *, comment: Comment = "") -> None:
    """End it for good; the percentage stays as it is."""
    await _steer(call, key, "abort", comment)


async def _steer(call: Call, key: str, verb: str, comment: str) -> None:
    async with call.admin() as admin:
        body = {"comment": comment} if comment else None
        await _show(call, admin, key, await admin.post("flags", key, "rollout", verb, body=body), watch=False)


async def _show(call: Call, admin: AdminClient, key: str, found: Plain, *, watch: bool) -> None:
    if watch and not call.options.as_json:
        found = await _watch(admin, key, found)
    elif call.options.as_json:
        return say_json(found)
    else:
        say(headline(found))
        draw(view(found))
    if watch and found["status"] in ("rolledBack", "killed", "paused"):
        raise Stop(f"the rollout of {key} stopped: {plain(str(found['reason']))}")
    return None


async def _watch(admin: AdminClient, key: str, found: Plain) -> Plain:
    """Show it until it runs no more. Into a pipe goes a line for each change."""
    said = ""
    terminal = sys.stdout.isatty()
    with Live(console=Console(), auto_refresh=False, transient=False) if terminal else _Silent() as live:
        while True:
            if terminal:
                live.update(Group(Text(headline(found)), view(found)), refresh=True)
            elif (line := headline(found)) != said:
                said = line
                say(line)
            if found["status"] != "running":
                return found
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                found = await admin.get("flags", key, "rollout")
            except Stop as stop:
                if stop.code != ExitCode.UNREACHABLE:
                    raise


class _Silent:
    """In place of a live view."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def headline(found: Plain) -> str:
    """Return in a line how far it is."""
    stages = found["stages"]
    line = f"{found['flag']} in {found['environment']}: {found['status']} at {found['percentage']:g} %"
    line += f", stage {found['stage'] + 1} of {len(stages)}"
    return f"{line}: {plain(found['reason'])}" if found.get("reason") else line


def view(found: Plain) -> Table:
    """Return the stages, and what was measured at the one in force."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_row("stages", _stages(found))
    table.add_row("status", Text(str(found["status"]), style=STYLES.get(str(found["status"]), "")))
    if found.get("nextInMs") is not None:
        table.add_row("next", f"in {found['nextInMs'] / 1000:.0f} s")
    if found.get("waitsFor"):
        table.add_row("waits", f"it has {found['waitsFor']}")
    for side in ("on", "off"):
        measured = (found.get("measured") or {}).get(side)
        if measured and measured["runs"]:
            p95 = f", p95 {measured['p95Ms']:g} ms" if measured["p95Ms"] is not None else ""
            share = f"{measured['errorRate']:.2%}"
            table.add_row(side, f"{measured['runs']:,} runs, {measured['errors']:,} failed ({share}){p95}")
    return table


def _stages(found: Plain) -> Text:
    text = Text()
    for index, stage in enumerate(found["stages"]):
        style = "dim" if index > found["stage"] else "bold" if index == found["stage"] else ""
        mark = "▸" if index == found["stage"] else ""
        text.append(f"{mark}{stage:g} %  ", style=style)
    return text


def _percentages(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise Stop(f"--stages {text!r} are no percentages, such as 1,10,100", ExitCode.USAGE) from None


rollout = group(
    "Ramps that go on by themselves.",
    ("start", start),
    ("status", status),
    ("pause", pause),
    ("resume", resume),
    ("abort", abort),
)
