"""`wigwag scan` and `wigwag references`: the uses of flags in code."""

import asyncio
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from wigwag.cli.arguments import Key
from wigwag.cli.call import Call, command
from wigwag.cli.checkout import Checkout, find_checkout
from wigwag.cli.documents import read_document
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.output import note, plain, say, say_json
from wigwag.scan.findings import Finding, Level, faults, nested
from wigwag.scan.project import scan as scan_paths
from wigwag.scan.reference import Reference, Scan
from wigwag.scan.reports import annotations, finding_line, reference_line, summary

Plain = dict[str, Any]
Texts = list[str] | None

# As the server takes them: see docs/http-api.md.
MOST_REFERENCES = 5000


class Format(StrEnum):
    """For whom a scan writes."""

    TEXT = "text"
    GITHUB = "github"


@command
async def scan(
    call: Call,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files and folders.", show_default=False, exists=True)
    ],
    *,
    own: Annotated[
        Texts,
        typer.Option("--call", metavar="NAME", help="A function of yours that takes a key first.  (repeatable)"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="End with 1 for unknown, archived and stale flags.", show_default=False)
    ] = False,
    flags: Annotated[
        Path | None, typer.Option("--flags", metavar="FILE", help="The flags that there are: not the server's.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="github: annotations for a pipeline.", show_default=False)
    ] = Format.TEXT,
    upload: Annotated[
        bool, typer.Option("--upload", help="Store what was found on the server.", show_default=False)
    ] = False,
    repository: Annotated[str, typer.Option(metavar="NAME", help="Of the upload.  [git's]", show_default=False)] = "",
    commit: Annotated[str, typer.Option(metavar="ID", help="Of the upload.  [git's]", show_default=False)] = "",
    branch: Annotated[str, typer.Option(metavar="NAME", help="Of the upload.  [git's]", show_default=False)] = "",
    link: Annotated[
        str,
        typer.Option(metavar="URL", help="Where code is looked at, with {commit}, {file}, {line}.", show_default=False),
    ] = "",
) -> None:
    """Find where code asks for flags.

    Python is read by its syntax. Files of other languages are searched for the keys of the flags, which --check,
    --upload and --flags know. A flag below more than one other is warned of.
    """
    states: dict[str, str] = {}
    if flags is not None:
        states = dict.fromkeys(_keys_in(flags), "active")
    elif check or upload:
        async with call.admin() as admin:
            states = {
                each["key"]: each["state"] for each in (await admin.get("stale", query=[("all", "true")]))["flags"]
            }
    found = await asyncio.to_thread(scan_paths, paths, states, own or ())
    findings = sorted([*nested(found.references), *(faults(found.references, states) if check else ())], key=_place)
    _tell(call, found, findings, form)
    if upload:
        await _upload(call, found, await _checkout(paths, repository, commit, branch, link))
    if check and any(each.level is Level.ERROR for each in findings):
        raise typer.Exit(ExitCode.FAILED)


@command
async def references(call: Call, key: Key) -> None:
    """Show where code asks for a flag.

    As the last scans have uploaded it.
    """
    async with call.admin() as admin:
        found = await admin.get("flags", key, "references")
    if call.options.as_json:
        return say_json(found)
    for each in found["references"]:
        where = f" in {each['function']}" if each.get("function") else ""
        link = f"  {plain(each['link'])}" if each.get("link") else ""
        say(
            plain(f"{each['repository']}@{each['commit'][:10]} {each['file']}:{each['line']} ({each['call']}{where})")
            + link
        )
    return note(f"\n{key} is asked for at {found['total']} places in {len(found['repositories'])} repositories")


def _tell(call: Call, found: Scan, findings: Sequence[Finding], form: Format) -> None:
    if call.options.as_json:
        return say_json(
            {
                "references": [{**msgspec.to_builtins(each), "depth": each.depth} for each in found.references],
                "findings": msgspec.to_builtins(findings),
                "unread": found.unread,
                "files": found.files,
            }
        )
    if form is Format.GITHUB:
        for line in annotations(findings, list(found.unread.items())):
            say(line)
    else:
        for reference in found.references:
            say(plain(reference_line(reference)))
        for finding in findings:
            note(plain(finding_line(finding)))
        for file, why in found.unread.items():
            note(plain(f"{file}: cannot be read: {why}"))
    return note(f"\n{summary(found)}")


async def _checkout(paths: Sequence[Path], repository: str, commit: str, branch: str, link: str) -> Checkout:
    folder = paths[0] if paths[0].is_dir() else paths[0].parent
    return await find_checkout(folder, os.environ, repository=repository, commit=commit, branch=branch, link=link)


async def _upload(call: Call, found: Scan, checkout: Checkout) -> None:
    static = [each for each in found.references if each.flag is not None]
    if len(static) > MOST_REFERENCES:
        raise Stop(
            f"there are {len(static):,} uses, and at most {MOST_REFERENCES:,} of a repository are stored: scan less"
        )
    body = {
        "repository": checkout.repository,
        "commit": checkout.commit,
        "branch": checkout.branch,
        "link": checkout.link,
        "references": [_uploaded(each, checkout.top) for each in static],
    }
    async with call.admin() as admin:
        done = await admin.replace("code-references", body=body, of_server=True)
    note(f"stored {done['references']} uses of {checkout.repository} at {checkout.commit[:10]}")


def _uploaded(each: Reference, top: Path) -> Plain:
    """Return a use as the server takes it, its file as the repository names it."""
    file = Path(each.file).resolve()
    name = file.relative_to(top).as_posix() if file.is_relative_to(top) else each.file
    said = msgspec.to_builtins(each)
    return {**{field: said[field] for field in ("flag", "line", "column", "call", "function", "within")}, "file": name}


def _keys_in(path: Path) -> list[str]:
    flags = read_document(path).get("flags")
    if not isinstance(flags, dict):
        raise Stop(f"{path} has no flags", ExitCode.USAGE)
    return [str(key) for key in flags]


def _place(each: Finding) -> tuple[str, int, int]:
    return each.file, each.line, each.column
