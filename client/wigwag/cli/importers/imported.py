"""What an importer returns."""

from dataclasses import dataclass, field
from typing import Any

HASHED = "the share of users is the same, but they are picked by another hash: other users may be in it"


@dataclass(slots=True)
class Imported:
    """A document as `wigwag import` takes it, and what of the source is not in it: `{key, what, why}`."""

    document: dict[str, Any]
    left_behind: list[dict[str, str]] = field(default_factory=list)

    def leave(self, key: str, what: str, why: str) -> None:
        """Note what could not be carried over."""
        self.left_behind.append({"key": key, "what": what, "why": why})
