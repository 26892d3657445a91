"""What every command has in common: the options, finding the server, one event loop, and how it ends."""

import asyncio
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.connection import SERVER_KEY, TOKEN, Server, find_server
from wigwag.cli.exits import ExitCode, Proposed, Stop
from wigwag.cli.output import note, plain, say_json

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of every command. They may stand before its name, after it, or both; the latter count."""

    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The server.  [WIGWAG_URL, .wigwag/dev.json]")
    ] = None
    token: Annotated[
        str | None, typer.Option("--token", metavar="TOKEN", help="Admin token.  [WIGWAG_TOKEN, .wigwag/dev.json]")
    ] = None
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", metavar="NAME", help="Environment.  [default: production]")
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs.", show_default=False)] = False

    def overridden(self, later: "Options") -> "Options":
        """Return these options, with what `later` says in place of what they say."""
        said = {field.name: getattr(later, field.name) for field in fields(later)}
        return replace(self, **{name: value for name, value in said.items() if value})


OPTIONS = [p.replace(kind=p.KEYWORD_ONLY) for p in inspect.signature(Options, eval_str=True).parameters.values()]


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a command."""

    options: Options

    @property
    def environment(self) -> str:
        """The environment that is meant."""
        return self.options.environment or "production"

    def admin(self) -> AdminClient:
        """Return a client of the admin API. Raises Stop where no server is named."""
        server = find_server(TOKEN, self.options.url, self.options.token, os.environ, Path.cwd())
        return AdminClient(server, self.environment)

    def stream_server(self, key: str | None) -> Server:
        """Return the server to follow, with an SDK key. Raises Stop where none is named."""
        return find_server(SERVER_KEY, self.options.url, key, os.environ, Path.cwd())


def with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a function, which takes an Options last, the common options as typer sees them."""

    def wrapped(**given: Any) -> None:
        common = {parameter.name: given.pop(parameter.name) for parameter in OPTIONS}
        function(**given, options=Options(**common))

    own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name != "options"]
    return _as_command(wrapped, function, [*own, *OPTIONS])


def command(work: Callable[Concatenate[Call, P], Awaitable[None]]) -> Callable[..., None]:
    """Make a command of an async function: it gets a Call, may raise Stop, and runs in a loop of its own."""

    def run(*, context: typer.Context, options: Options, **given: Any) -> None:
        before = context.obj
        assert isinstance(before, Options)
        call = Call(before.overridden(options))
        _run(work(call, **given), as_json=call.options.as_json)  # type: ignore[call-arg]

    _, *own = inspect.signature(work, eval_str=True).parameters.values()
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    taken = inspect.Parameter("options", inspect.Parameter.KEYWORD_ONLY, annotation=Options)
    keywords = [p.replace(kind=p.KEYWORD_ONLY) for p in own]
    return with_options(_as_command(run, work, [context, *keywords, taken]))


def group(help_text: str, *commands: tuple[str, Callable[..., None]]) -> typer.Typer:
    """Make a command of several, such as `wigwag keys list`."""
    made = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help=help_text)
    for name, function in commands:
        made.command(name)(function)
    return made


def _run(work: Awaitable[None], *, as_json: bool) -> None:
    async def awaited() -> None:
        await work

    try:
        asyncio.run(awaited())
    except Stop as stop:
        if isinstance(stop, Proposed) and as_json:
            say_json(stop.answer)
        note("wigwag: " + "\n".join(map(plain, str(stop).splitlines())))
        raise typer.Exit(stop.code) from None
    except BrokenPipeError:
        # Whoever read has enough. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.BROKEN_PIPE) from None


def _as_command(
    wrapped: Callable[..., None], of: Callable[..., Any], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    wrapped.__name__, wrapped.__doc__ = of.__name__, of.__doc__
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by typer
    return wrapped
