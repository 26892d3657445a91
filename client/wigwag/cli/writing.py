"""Commands that kill, revive and delete flags."""

import sys
from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, DryRun, Key, Keys, Timeout, Until, Yes
from wigwag.cli.call import Call, command
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.flag_words import summary
from wigwag.cli.output import note, say, say_json
from wigwag.cli.proof import follow, note_anonymous, note_laggards, verdict
from wigwag.cli.terminal import typed_line

Plain = dict[str, Any]
Texts = list[str] | None

WAIT_S = 10.0


@command
async def kill(
    call: Call,
    keys: Keys = None,
    *,
    tag: Annotated[Texts, typer.Option(metavar="TAG", help="Every flag with this tag.  (repeatable)")] = None,
    pattern: Annotated[
        str, typer.Option(metavar="PATTERN", help="Every flag named so: 'pay.*'.", show_default=False)
    ] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Shown to whoever looks.", show_default=False)] = "",
    until: Until = None,
    dry_run: DryRun = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every app has confirmed it.", show_default=False)
    ] = False,
    timeout_s: Timeout = None,
) -> None:
    """Turn flags off for everyone, now, above all their rules. Nothing is asked.

    Several are killed in one revision. Their configuration stays as it is, and "revive" puts it in force again. With
    --wait it ends with 0 only when every instance that was connected has confirmed it, and else names those that have
    not.
    """
    if not keys and not tag and not pattern:
        raise Stop("what is to be killed? Give keys, --tag or --pattern: wigwag kill checkout", ExitCode.USAGE)
    query = [("dryRun", "true")] if dry_run else []
    async with call.admin() as admin:
        if keys and len(keys) == 1 and not tag and not pattern:
            killed = await admin.kill(keys[0], reason, until, query)
        else:
            body = _given({"keys": keys, "tags": tag, "pattern": pattern, "reason": reason, "until": until})
            killed = await admin.post("kill", body=body, query=query)
        if dry_run:
            return tell(call, killed, _trial(call, killed))
        words = _killed(call, killed, until)
        if not wait and timeout_s is None:
            return tell(call, killed, words)
        revision = _revision(killed)
        if revision is None:
            tell(call, killed, words)
            raise Stop("without the store it cannot be told who has it in force", ExitCode.NOT_CONFIRMED)
        if not call.options.as_json:
            say(words)
        seen = await follow(admin, revision, WAIT_S if timeout_s is None else timeout_s)
    tell(call, {**killed, "propagation": seen}, verdict(seen))
    note_anonymous(seen)
    if not seen["complete"]:
        note_laggards(seen)
        raise Stop("not everybody has confirmed it in time", ExitCode.NOT_CONFIRMED)
    return None


def _revision(killed: Plain) -> int | None:
    """Return the revision of a kill, of one flag or of several; None for an emergency."""
    flags = killed.get("flags", [killed])
    return None if "emergency" in killed or not flags else flags[0].get("revision")


def _killed(call: Call, killed: Plain, until: Any) -> str:
    """Say what was killed, and how it comes back."""
    if "emergency" in killed:
        those = ", ".join(killed["emergency"].get("keys", ()))
        return f"killed {those} in {call.environment} as an emergency. {killed.get('detail', '')}"
    flags = killed.get("flags", [killed])
    names = [str(flag.get("key")) for flag in flags]
    ends = "the time given, or" if until is not None else ""
    if len(names) == 1:
        till = f"until {ends}".rstrip()
        return f"killed {where(call, flags[0])}. It is off for everyone {till}: wigwag revive {names[0]}"
    listed = ", ".join(names) or "no flag: there is none any more"
    revision = f", revision {flags[0].get('revision')}" if flags else ""
    return (
        f"killed {len(names)} flags in {call.environment}{revision}: {listed}. They are off for everyone until revived"
    )


def _trial(call: Call, answer: Plain) -> str:
    names = [str(each.get("key")) for each in answer.get("changes", ())]
    return f"nothing was killed. In {call.environment} this would kill {len(names)}: {', '.join(names)}"


def _given(fields: Plain) -> Plain:
    return {name: value for name, value in fields.items() if value}


@command
async def revive(call: Call, keys: Keys = None, comment: Comment = "") -> None:
    """Lift a kill: the flag's configuration is in force again. Several are lifted in one revision."""
    if not keys:
        raise Stop("what is to be revived? Give keys: wigwag revive checkout", ExitCode.USAGE)
    if len(keys) > 1:
        return await _revive_several(call, keys, comment)
    (key,) = keys
    async with call.admin() as admin:
        before = await admin.flag(key)
        flag = await admin.revive(key, comment)
    if before.get("kill") is None:
        return tell(call, flag, f"{key} is not killed. It is {summary(flag)}.")
    return tell(call, flag, f"revived {where(call, flag)}. It is {summary(flag)}.")


async def _revive_several(call: Call, keys: list[str], comment: str) -> None:
    async with call.admin() as admin:
        revived = await admin.post("revive", body=_given({"keys": keys, "comment": comment}))
    states = "; ".join(f"{flag.get('key')} is {summary(flag)}" for flag in revived.get("flags", ()))
    tell(call, revived, f"revived {len(keys)} flags in {call.environment}: {states}.")


@command
async def delete(call: Call, key: Key, *, yes: Yes = False, comment: Comment = "") -> None:
    """Delete a flag: code that still asks for it gets its default."""
    async with call.admin() as admin:
        flag = await admin.flag(key)
        if not yes:
            await admin.trial_of_deletion(key)  # warns where code still asks for it
            await _ask(call, key, flag)
        await admin.delete(key, comment)
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
