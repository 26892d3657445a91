"""Finding records in a list: which are meant, and which part of them is shown. Pure, but for reading the query."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wigwag_proto.flag import FlagKind
from wigwag_proto.validate import check_key
from wigwag_server.admin.flag_life import Stage
from wigwag_server.admin.flag_state import FlagState, flag_state
from wigwag_server.admin.parameters import Parameters

PAGE = 1000
LARGEST_PAGE = 10_000
SEARCHED = ("key", "description", "owner")
FLAG_LISTS = ("tag", "owner", "kind", "state")


@dataclass(frozen=True, slots=True)
class Search:
    """What a record must meet: each word of `words`, and of every other list any one. An empty list asks nothing.

    `stages` of life are not looked at here: they depend on more than the record.
    """

    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()

    def meets(self, key: str, record: Any, killed: Collection[str]) -> bool:
        """Say whether a record is meant. `killed` are the flags with a kill that does not stand in them."""
        plain = record if isinstance(record, Mapping) else {}
        if self.states and flag_state(record, killed=key in killed) not in self.states:
            return False
        if self.owners and plain.get("owner") not in self.owners:
            return False
        if self.kinds and plain.get("kind") not in self.kinds:
            return False
        tags = [tag for tag in plain.get("tags") or () if isinstance(tag, str)]
        if self.tags and not any(tag in self.tags for tag in tags):
            return False
        if not self.words:
            return True
        text = "\n".join([key, *(str(plain.get(field, "")) for field in SEARCHED), *tags]).lower()
        return all(word in text for word in self.words)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of what was found: the records by key, how many were found in all, and where the next part begins."""

    keys: tuple[str, ...]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is asked for: at most `limit` after a key. Records that come and go shift nothing."""

    limit: int = PAGE
    after: str = ""

    def of(self, keys: Sequence[str]) -> Page:
        """Return that part of the keys, which are in order."""
        following = [key for key in keys if key > self.after]
        shown = following[: self.limit]
        return Page(tuple(shown), len(keys), shown[-1] if len(following) > len(shown) else None)


def find(table: Mapping[str, Any], search: Search, part: Part, killed: Collection[str] = ()) -> Page:
    """Return a part of the records that are meant, by key."""
    return part.of(sorted(key for key, record in table.items() if search.meets(key, record, killed)))


def is_archived(flag: Any) -> bool:
    """Say whether a plain flag is archived."""
    return isinstance(flag, Mapping) and flag.get("archived") is not None


def read_search(parameters: Parameters, *, flags: bool = True) -> Search:
    """Read what is looked for."""
    words = tuple((parameters.text("q") or "").lower().split())
    if not flags:
        return Search(words)
    states, stages = [state.value for state in FlagState], [stage.value for stage in Stage]
    chosen = parameters.chosen("state", [*states, *stages])
    return Search(
        words,
        parameters.texts("tag"),
        parameters.texts("owner"),
        parameters.chosen("kind", [kind.value for kind in FlagKind]),
        tuple(each for each in chosen if each in states),
        tuple(each for each in chosen if each in stages),
    )


def read_part(parameters: Parameters, largest: int = LARGEST_PAGE) -> Part:
    """Read which part is asked for."""
    limit = parameters.number("limit", PAGE, least=1, most=largest) or PAGE
    after = parameters.text("after") or ""
    if after and (wrong := check_key(after)) is not None:
        parameters.add("after", f"takes the 'next' of the answer before: {wrong}")
    return Part(limit, after)
