"""Looking for secrets where none may be: whatever has the form of one counts, whoever made it."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.server import ADMIN_TOKEN

SECRET = re.compile(
    r"ww_[a-z]+_[\w-]{43}(?![\w-])"  # a key
    r"|whsec_[\w+/=-]{20,}"  # what signs webhooks
    r"|(?<=/ui/login/)[\w-]{43}"  # a link that signs in
    rf"|{ADMIN_TOKEN}"
)
# What a server that was started with `--dev` shows on purpose.
SHOWN = re.compile(
    r"^  (?:admin token|server key|client key|web pages) .*$|^    async with FlagClient\(.*$", re.MULTILINE
)


def secrets_in(text: str) -> set[str]:
    """Return the secrets that stand in a text."""
    return set(SECRET.findall(text))


class Kept(logging.Handler):
    """Keeps what is logged as a person or a machine would see it, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.lines.append(self.format(record))

    @property
    def text(self) -> str:
        """Everything."""
        return "\n".join(self.lines)


@contextmanager
def kept_logs(level: int | None = None) -> Iterator[Kept]:
    """Keep what is logged, with `level` from that level on, whichever loggers have others."""
    kept, root = Kept(), logging.getLogger()
    before = root.level
    root.addHandler(kept)
    if level is not None:
        root.setLevel(level)
    try:
        yield kept
    finally:
        root.removeHandler(kept)
        root.setLevel(before)
