"""`wigwag codegen`: a Python module with one typed accessor for each flag."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from wigwag.cli.call import Call, command
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.output import note, say
from wigwag.cli.typed_module import typed_module
from wigwag.flag_document import read_document
from wigwag.flag_file import read_flag_file
from wigwag_proto.errors import WigwagError
from wigwag_proto.flag import Kill


@command
async def codegen(
    call: Call,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.  [standard output]")
    ] = None,
    flag_file: Annotated[
        Path | None, typer.Option("--from-file", metavar="FLAGS", help="The flags of a file, in place of a server's.")
    ] = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where FILE is not what would be written.")
    ] = False,
) -> None:
    """Write a module with a typed accessor for each flag."""
    if check and output is None:
        raise Stop("--check compares with a file: say which one by --output", ExitCode.USAGE)
    flags, what = await _flags(call, flag_file)
    text = typed_module(flags, what)
    if output is None:
        say(text.rstrip("\n"))
        return
    try:
        known = output.read_text(encoding="utf-8") if output.exists() else None
        if known == text:
            note(f"{output} is up to date.")
        elif check:
            raise Stop(f"{output} is not what the flags are now: run 'wigwag codegen --output {output}'")
        else:
            output.write_text(text, encoding="utf-8")
            note(f"Wrote {output}.")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"cannot write {output}: {error}") from error


async def _flags(call: Call, flag_file: Path | None) -> tuple[list[dict[str, Any]], str]:
    """Return the flags, and what they are."""
    if flag_file is None:
        async with call.admin() as admin:
            return await admin.flags(), f"The flags of {call.environment}"
    try:
        document = read_document(read_flag_file(flag_file), Kill(by=flag_file.name, at=round(time.time() * 1000)), {})
    except WigwagError as error:
        raise Stop(str(error), ExitCode.USAGE) from error
    if document.violations:
        raise Stop(f"{flag_file} cannot be used as it is:\n{document.problem}", ExitCode.USAGE)
    return [{**flag, "key": key} for key, flag in document.flags.items()], f"The flags of {flag_file.name}"
