"""What goes to the terminal, or into a pipe or file: results on standard output, all else on standard error."""

import io
import json
import sys
from typing import Any

import typer
from rich.console import Console, RenderableType

ENDLESS = 10_000  # a pipe has no right margin: nothing is cut there


def say(text: str) -> None:
    """Write a result."""
    typer.echo(text)


def say_json(plain: Any, *, indent: int | None = 2) -> None:
    """Write a result for programs."""
    typer.echo(json.dumps(plain, indent=indent, ensure_ascii=False))


def note(text: str) -> None:
    """Tell the person something that is not the result."""
    typer.echo(text, err=True)


def width() -> int:
    """Return how many columns there are."""
    return Console(file=sys.stdout).width if sys.stdout.isatty() else ENDLESS


def draw(renderable: RenderableType) -> None:
    """Write a table: fitted and coloured for a terminal, whole and plain for everything else."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=sys.stdout.isatty(), width=width(), highlight=False)
    console.print(renderable)
    for line in text.getvalue().splitlines():
        typer.echo(line.rstrip())


def plain(text: str) -> str:
    """Return text that other people wrote without what could steer a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
