"""`wigwag export`, `import`, `diff` and `validate`: a whole environment as a file."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from wigwag.cli.arguments import Comment, DryRun, Yes
from wigwag.cli.call import Call, command
from wigwag.cli.change_words import change_lines, total
from wigwag.cli.checking import check_document
from wigwag.cli.confirm import confirm
from wigwag.cli.documents import name_of, read_document, write_document
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.importers.imported import Imported
from wigwag.cli.importers.sources import SOURCES, read_source
from wigwag.cli.output import note, plain, say, say_json

Plain = dict[str, Any]

File = Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON; - reads standard input.", show_default=False)]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="What is not in the file is deleted; killed flags are kept.", show_default=False),
]


@command
async def export(
    call: Call,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; YAML, or JSON for a name in .json.")
    ] = None,
) -> None:
    """Write all flags and segments into one file.

    "import" takes it. Kills are not in it.
    """
    async with call.admin() as admin:
        with _working(f"reading {call.environment}"):
            document = await admin.get("export")
    write_document(document, file, as_json=call.options.as_json, say=say)
    for name in document.get("damaged", ()):
        note(f"wigwag: {plain(str(name))} is damaged in the store; it cannot be exported, nor this file imported")
    if file is not None:
        flags, segments = len(document.get("flags", ())), len(document.get("segments", ()))
        note(f"exported {flags} flags and {segments} segments of {call.environment} into {file}")


@command
async def import_file(
    call: Call,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="YAML or JSON, or the URL of a Redis; - reads standard input.")
    ],
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="KIND", help=f"Of another system: {' or '.join(SOURCES)}.", show_default=False),
    ] = None,
    hash_name: Annotated[
        str, typer.Option("--hash", metavar="NAME", help="The Redis hash with a JSON configuration a field.")
    ] = "feature_flags",
    dry_run: DryRun = False,
    replace: Replace = False,
    yes: Yes = False,
    comment: Comment = "",
) -> None:
    """Bring about what a file says, in one revision.

    First it shows what that changes, and asks. Kills are left alone, and so is what is not in the file, unless
    --replace is given.
    """
    imported = await read_source(source, file, hash_name)
    _tell_left_behind(imported)
    body = {**_sections(imported.document), **({"mode": "replace"} if replace else {})}
    async with call.admin() as admin:
        with _working(f"comparing with {call.environment}"):
            trial = await admin.post("import", body={**body, "dryRun": True})
        if dry_run or not trial["changes"]:
            return _tell(call, trial, imported, "nothing was changed: this is what it would do")
        if not yes:
            _show(call, trial)
            how = "wigwag import … --yes"
            await confirm(f"This changes {call.environment}: {total(trial['changes'])}.", how)
        with _working(f"importing into {call.environment}"):
            done = await admin.post("import", body={**body, **({"comment": comment} if comment else {})})
    return _tell(call, done, imported, f"imported into {call.environment}: {total(done['changes'])}")


@command
async def diff(
    call: Call,
    file: File,
    *,
    replace: Replace = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 where there is a difference.", show_default=False)
    ] = False,
) -> None:
    """Show what "import" of a file would change. Nothing is changed."""
    body = {**_sections(read_document(file)), "dryRun": True, **({"mode": "replace"} if replace else {})}
    async with call.admin() as admin:
        trial = await admin.post("import", body=body)
    if call.options.as_json:
        say_json(trial)
    elif trial["changes"]:
        _show(call, trial)
    else:
        say(f"{call.environment} is as {name_of(file)} says")
    if exit_code and trial["changes"]:
        raise typer.Exit(ExitCode.FAILED)


@command
async def validate(
    call: Call,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="YAML or JSON.", show_default=False)],
    *,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="What flags refer to may also be on the server only.", show_default=False),
    ] = False,
) -> None:
    """Check files of flags and segments, without a server.

    That is for the pipeline of a Git repository: it ends with 1 where something is wrong.
    """
    found = [
        {"file": name_of(file), "pointer": each.pointer, "detail": each.message}
        for file in files
        for each in check_document(read_document(file), alone=not partial)
    ]
    if call.options.as_json:
        say_json({"valid": not found, "errors": found})
    else:
        for each in found:
            say(plain(f"{each['file']}: {each['pointer'] or 'the file'}: {each['detail']}"))
    if found:
        raise Stop(f"{len(found)} problem{'s' if len(found) > 1 else ''}")
    if not call.options.as_json:
        say(f"{', '.join(name_of(file) for file in files)}: valid")


def _sections(document: Plain) -> Plain:
    """Return what is sent. A file may say which environment it was exported from; nothing else is passed over."""
    return {name: value for name, value in document.items() if name != "environment"}


def _tell(call: Call, answer: Plain, imported: Imported, words: str) -> None:
    if call.options.as_json:
        return say_json({**answer, "leftBehind": imported.left_behind})
    if not answer["changes"]:
        return say(f"{call.environment} is like that already")
    _show(call, answer)
    return say(words)


def _show(call: Call, answer: Plain) -> None:
    if call.options.as_json:
        return
    for line in change_lines(answer["changes"]):
        say(line)
    for key in answer.get("kept", ()):
        note(f"wigwag: {plain(str(key))} is killed, so it is kept; revive it, then delete it")


def _tell_left_behind(imported: Imported) -> None:
    """Say exactly what could not be carried over."""
    for each in imported.left_behind:
        note(plain(f"wigwag: {each['key']}: {each['what']}: {each['why']}"))


def _working(what: str) -> Any:
    """Show that something is going on, on a terminal."""
    return Console(stderr=True, quiet=not sys.stderr.isatty()).status(what)
