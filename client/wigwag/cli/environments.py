"""`wigwag environments …`: making, comparing and promoting between them."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, DryRun, Yes
from wigwag.cli.call import Call, command, group
from wigwag.cli.change_words import change_lines, total
from wigwag.cli.confirm import confirm, confirm_word
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.output import draw, note, plain, say, say_json
from wigwag.cli.tables import moment, table

Plain = dict[str, Any]
Texts = list[str] | None

Name = Annotated[str, typer.Argument(metavar="NAME", help="The environment.", show_default=False)]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The environment that changes.", show_default=False)]
Describe = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is for.")]
Approvals = Annotated[
    bool | None,
    typer.Option("--approvals/--no-approvals", help="Whether changes wait for a second person.", show_default=False),
]


@command
async def list_environments(call: Call) -> None:
    """List the environments, with how much is in each."""
    async with call.admin() as admin:
        found = (await admin.get("environments", of_server=True)).get("environments", [])
    if call.options.as_json:
        return say_json(found)
    rows = [
        (
            each.get("name"),
            each.get("flags"),
            each.get("segments"),
            each.get("keys"),
            each.get("streams"),
            "needed" if each.get("approvals") else "-",
            moment(each.get("createdAt")),
            each.get("description"),
        )
        for each in found
    ]
    columns = ["ENVIRONMENT", "FLAGS", "SEGMENTS", "KEYS", "STREAMS", "APPROVALS", "CREATED", "DESCRIPTION"]
    return draw(table(columns, rows))


@command
async def create(
    call: Call,
    name: Name,
    *,
    clone: Annotated[
        str | None,
        typer.Option("--clone", metavar="NAME", help="With the flags and segments of this one, not its kills."),
    ] = None,
    description: Describe = None,
    approvals: Approvals = None,
    comment: Comment = "",
) -> None:
    """Make an environment."""
    given = {"cloneFrom": clone, "description": description, "approvals": approvals, "comment": comment or None}
    body = {"name": name, **_given(given)}
    async with call.admin() as admin:
        made = await admin.post("environments", body=body, of_server=True)
    source = f" from {clone}" if clone else ""
    _tell(call, made, f"created {name}{source}: {made.get('flags')} flags, {made.get('segments')} segments")


@command
async def edit(
    call: Call,
    name: Name,
    *,
    description: Describe = None,
    approvals: Approvals = None,
    expected_life: Annotated[
        int | None, typer.Option(metavar="DAYS", min=1, help="Of releases and experiments that do not say.")
    ] = None,
    owner_flags: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="Release flags an owner may have; 0: any number.")
    ] = None,
    refuse_over_limit: Annotated[
        bool | None, typer.Option("--refuse-over-limit/--warn-over-limit", help="What happens then.")
    ] = None,
    samples: Annotated[
        bool | None, typer.Option("--samples/--no-samples", help="Whether samples of contexts are taken, for previews.")
    ] = None,
    comment: Comment = "",
) -> None:
    """Change what is known about an environment.

    That is its description, whether changes in it wait for a second person, how long its flags should live, and
    whether it takes samples of contexts from apps that send some.
    """
    body = _given(
        {
            "description": description,
            "approvals": approvals,
            "expectedLifeDays": expected_life,
            "refuseOverLimit": refuse_over_limit,
            "sampleContexts": samples,
        }
    )
    if owner_flags is not None:
        body["ownerReleaseFlags"] = owner_flags or None
    if not body:
        raise Stop("there is nothing to change: give --description, --approvals or another option", ExitCode.USAGE)
    async with call.admin() as admin:
        done = await admin.patch(
            "environments", name, body={**body, **_given({"comment": comment or None})}, of_server=True
        )
    wait = "wait for a second person" if done.get("approvals") else "are made at once"
    _tell(call, done, f"changed {name}: changes in it {wait}")


@command
async def delete(call: Call, name: Name, *, yes: Yes = False, comment: Comment = "") -> None:
    """Delete an environment with its flags, segments and keys.

    The streams of apps that use it end.
    """
    async with call.admin() as admin:
        there = await admin.get("environments", name, of_server=True)
        if not yes:
            much = ", ".join(f"{there.get(what)} {what}" for what in ("flags", "segments", "keys", "streams"))
            what = f"This deletes the environment {name} for good: {much}."
            await confirm_word(name, what, f"wigwag environments delete {name} --yes")
        await admin.remove(
            "environments",
            name,
            query=[("confirm", name), *([("comment", comment)] if comment else [])],
            of_server=True,
        )
    _tell(call, {"deleted": name}, f"deleted the environment {name}")


@command
async def compare(
    call: Call,
    one: Name,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="What to compare it with.", show_default=False)],
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 where there is a difference.", show_default=False)
    ] = False,
) -> None:
    """Show what leads from one environment to another."""
    async with call.admin() as admin:
        found = await admin.get("environments", one, "compare", other, of_server=True)
    changes = found["changes"]
    if call.options.as_json:
        say_json(found)
    elif changes:
        for line in change_lines(changes):
            say(line)
        note(f"\nfrom {one} to {other}: {total(changes)}")
    else:
        say(f"{one} and {other} are configured alike")
    if exit_code and changes:
        raise typer.Exit(ExitCode.FAILED)


@command
async def promote(
    call: Call,
    target: Target,
    keys: Annotated[list[str], typer.Argument(metavar="KEY…", help="Flags, or patterns: 'pay.*'.", show_default=False)],
    source: Annotated[str, typer.Option("--from", metavar="NAME", help="Where they are as they should be.")],
    *,
    with_segments: Annotated[
        bool, typer.Option("--with-segments", help="And the segments that they refer to.", show_default=False)
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    comment: Comment = "",
) -> None:
    """Copy the configuration of flags into TARGET.

    First it shows what that changes, and asks. Kills stay as they are.
    """
    body: Plain = {"from": source, "flags": keys, "withSegments": with_segments}
    async with call.admin() as admin:
        trial = await admin.post("environments", target, "promote", body={**body, "dryRun": True}, of_server=True)
        changes = trial["changes"]
        if dry_run or not changes:
            return _tell_changes(call, trial, f"nothing was changed in {target}: this is what it would do", target)
        if not yes:
            for line in change_lines(changes):
                note(line)
            how = f"wigwag environments promote {target} … --from {source} --yes"
            await confirm(f"This changes {target}: {total(changes)}.", how)
        body |= _given({"comment": comment or None})
        done = await admin.post("environments", target, "promote", body=body, of_server=True)
    return _tell_changes(call, done, f"promoted from {source} to {target}: {total(done['changes'])}", target)


def _given(fields: Plain) -> Plain:
    return {name: value for name, value in fields.items() if value is not None}


def _tell(call: Call, answer: Plain, words: str) -> None:
    if call.options.as_json:
        say_json(answer)
    else:
        say(plain(words))


def _tell_changes(call: Call, answer: Plain, words: str, target: str) -> None:
    if call.options.as_json:
        return say_json(answer)
    if not answer["changes"]:
        return say(f"{target} is like that already")
    for line in change_lines(answer["changes"]):
        say(line)
    return say(words)


environments = group(
    "Environments, and what differs between them.",
    ("list", list_environments),
    ("create", create),
    ("edit", edit),
    ("delete", delete),
    ("compare", compare),
    ("promote", promote),
)
