"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Return a text as it can stand in a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("[", "\\[")


def code(text: str) -> str:
    """Return a text as code in a table, where a bar would end the cell."""
    return "`{}`".format(text.replace("|", "\\|"))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
