"""`wigwag set`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.arguments import Clear, Comment, Key, Percent, Rules
from wigwag.cli.call import Call, command
from wigwag.cli.exits import ExitCode, FlagChanged, NoSuchFlag, Stop
from wigwag.cli.flag_edit import Edit, configuration_of, read_configuration
from wigwag.cli.flag_words import differences, summary
from wigwag.cli.output import note
from wigwag.cli.previewing import tell_preview
from wigwag.cli.writing import tell, where
from wigwag_proto.flag import FlagKind

Plain = dict[str, Any]
Texts = list[str] | None

TRIES = 5


@command
async def set_flag(
    call: Call,
    key: Key,
    *,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="The ordinary switch.")] = None,
    rollout: Percent = None,
    allow: Annotated[Texts, typer.Option(metavar="USER", help="Always on for this user.  (repeatable)")] = None,
    deny: Annotated[Texts, typer.Option(metavar="USER", help="Always off for this user.  (repeatable)")] = None,
    unlist: Annotated[Texts, typer.Option(metavar="USER", help="Neither of both any more.  (repeatable)")] = None,
    rule: Rules = None,
    tag: Annotated[Texts, typer.Option(metavar="TAG", help="Add a tag.  (repeatable)")] = None,
    clear: Clear = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Whom to ask about it.")] = None,
    kind: Annotated[
        FlagKind | None, typer.Option(help="What it is: release and experiment are to go away again.")
    ] = None,
    expected_life: Annotated[
        int | None, typer.Option(metavar="DAYS", min=1, help="After how many days it should be done.")
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the whole configuration from JSON; - reads standard input."),
    ] = None,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview", help="Only say how many sampled contexts would get another answer.", show_default=False
        ),
    ] = False,
    comment: Comment = "",
) -> None:
    """Create a flag, or change one. What is not named stays as it is.

    A new flag is off until --on. Lists are added to; --clear empties one first. A kill is not touched.
    """
    edit = Edit(
        enabled=enabled,
        rollout=rollout,
        allow=tuple(allow or ()),
        deny=tuple(deny or ()),
        unlist=tuple(unlist or ()),
        rules=tuple(rule or ()),
        tags=tuple(tag or ()),
        clear=tuple(clear or ()),
        description=description,
        owner=owner,
        kind=None if kind is None else kind.value,
        expected_life=expected_life,
    )
    if edit.empty and from_file is None:
        raise Stop("there is nothing to set. 'wigwag set --help' has the options, such as --on.", ExitCode.USAGE)
    text = _read(from_file) if from_file else None
    async with call.admin() as admin:
        before, nearest = await _flag_or_none(admin, key)
        for tries_left in reversed(range(TRIES)):
            if text is None:
                wanted = configuration_of(before or {})
            else:
                wanted = read_configuration(text, _name(from_file), key, before)
            wanted = edit.applied_to(wanted)
            if preview:
                return tell_preview(call, await admin.post("flags", key, "preview", body={"draft": wanted}))
            try:
                unchanged = before is not None and wanted == configuration_of(before)
                after = before or {} if unchanged else await admin.put(key, wanted, before, comment)
                break
            except FlagChanged:
                # Somebody else was faster: the edit goes on top of theirs.
                if not tries_left:
                    raise
                before, nearest = await _flag_or_none(admin, key)
    return _tell_set(call, before, after, nearest)


async def _flag_or_none(admin: AdminClient, key: str) -> tuple[Plain | None, list[str]]:
    """Return the flag; where there is none, keys that look like it."""
    try:
        return await admin.flag(key), []
    except NoSuchFlag as missing:
        return None, missing.nearest


def _tell_set(call: Call, before: Plain | None, after: Plain, nearest: list[str]) -> None:
    key = after.get("key")
    if before is None:
        if nearest:
            note(f"wigwag: {key} is new; there was also {' and '.join(nearest)}")
        return tell(call, after, f"created {where(call, after)}: {summary(after)}")
    if after.get("kill") is not None:
        note(f"wigwag: {key} is killed and stays off until: wigwag revive {key}")
    changed = "; ".join(differences(before, after))
    if not changed:
        return tell(call, after, f"{key} is like that already: {summary(after)}")
    return tell(call, after, f"changed {where(call, after)}: {changed}")


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Stop(f"{_name(path)} cannot be read: {why}", ExitCode.USAGE) from None


def _name(path: Path | None) -> str:
    return "standard input" if path is None or str(path) == "-" else str(path)
