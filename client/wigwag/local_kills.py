"""The way to kill that needs no server: the variable `WIGWAG_KILL`, and a file that is looked at every second."""

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from wigwag_proto.flag import Kill

logger = logging.getLogger(__name__)

VARIABLE = "WIGWAG_KILL"
SEPARATORS = re.compile(r"[\s,]+")
LARGEST_FILE = 1024 * 1024


def parse_kills(text: str) -> frozenset[str]:
    """Return the keys in a text: separated by commas, blanks or lines; what follows a `#` is a remark."""
    words = (word for line in text.splitlines() for word in SEPARATORS.split(line.partition("#")[0]))
    return frozenset(word for word in words if word)


class LocalKills:
    """The flags that are killed in this process (or on this machine) alone."""

    def __init__(
        self,
        file: Path | None,
        on_change: Callable[[], None],
        *,
        look_every_s: float = 1.0,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._file = file
        self._on_change = on_change
        self._look_every_s = look_every_s
        self._started_at = round(time.time() * 1000)
        self._by_variable = parse_kills(environ.get(VARIABLE, ""))
        self._by_file: dict[str, Kill] = {}
        self._complained = False

    def kills(self) -> dict[str, Kill]:
        """Return what is killed here, by key."""
        by_variable = {key: Kill(by=VARIABLE, at=self._started_at) for key in self._by_variable}
        return {**self._by_file, **by_variable}

    async def look(self) -> None:
        """Read the file. One that is gone kills nothing; one that cannot be read leaves all as it is."""
        if self._file is None:
            return
        try:
            found = parse_kills(await asyncio.to_thread(_read, self._file))
        except (OSError, ValueError) as error:
            if not self._complained:
                logger.warning("cannot read the kill file %s, its kills stay as they are: %s", self._file, error)
            self._complained = True
            return
        self._complained = False
        if found != self._by_file.keys():
            new = Kill(by="kill file", reason=str(self._file), at=round(time.time() * 1000))
            self._by_file = {key: self._by_file.get(key, new) for key in found}
            logger.warning("the kill file %s now kills: %s", self._file, ", ".join(sorted(found)) or "nothing")
            self._on_change()

    async def run(self) -> None:
        """Read the file again and again. Runs until cancelled."""
        while True:
            await asyncio.sleep(self._look_every_s)
            await self.look()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return ""
    if len(data) > LARGEST_FILE:
        raise ValueError(f"larger than {LARGEST_FILE} bytes")
    return data.decode()
