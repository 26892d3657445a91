"""What a role may do, and to what. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import msgspec


class Right(StrEnum):
    """One sort of thing that an admin token may be allowed to do."""

    READ = "read"
    KILL = "kill"
    REVIVE = "revive"  # brings back what somebody took for dangerous: more than a kill asks for
    EDIT = "edit"
    ADMINISTER = "administer"  # keys, environments, and what else is not a flag


class Role(StrEnum):
    """What admin tokens are given."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    EDITOR = "editor"
    ADMIN = "admin"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.OPERATOR: frozenset({Right.READ, Right.KILL}),
    Role.EDITOR: frozenset({Right.READ, Right.KILL, Right.REVIVE, Right.EDIT}),
    Role.ADMIN: frozenset(Right),
}


def roles_with(right: Right) -> list[Role]:
    """Return the roles that have a right, the least mighty first."""
    return [role for role, rights in RIGHTS.items() if right in rights]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What an admin token is limited to. An empty tuple is no limit.

    `environments` limits everything. `flags` (shell patterns) and `tags` limit what may be changed: with both, a flag
    that meets either will do. Reading is not limited by them, since flags refer to each other.
    """

    environments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def limits_flags(self) -> bool:
        """Whether only some flags may be changed."""
        return bool(self.flags or self.tags)

    def covers_environment(self, name: str) -> bool:
        """Say whether an environment is within it."""
        return not self.environments or name in self.environments

    def covers_flag(self, key: str, *versions: Any) -> bool:
        """Say whether a flag may be changed from the first of these versions (plain, None where absent) to the others.

        Every version must be within: else a tag could be put on a flag to get at it, or a flag be moved out of reach.
        """
        if not self.limits_flags or any(fnmatchcase(key, pattern) for pattern in self.flags):
            return True
        there = [version for version in versions if version is not None]
        return bool(there) and all(self._covers_tags(version) for version in there)

    def contains(self, other: "Scope") -> bool:
        """Say whether everything within another scope is within this one. Where it cannot tell, it says no."""
        if self.environments and not (other.environments and set(other.environments) <= set(self.environments)):
            return False
        if not self.limits_flags:
            return True
        tags_are_mine = set(other.tags) <= set(self.tags)
        return other.limits_flags and tags_are_mine and all(self.covers_pattern(each) for each in other.flags)

    def covers_pattern(self, pattern: str) -> bool:
        """Say whether every key that a pattern names is within the patterns of this scope."""
        if not self.limits_flags or pattern in self.flags:
            return True
        return not set(pattern) & set("*?[") and any(fnmatchcase(pattern, mine) for mine in self.flags)

    def _covers_tags(self, version: Any) -> bool:
        tags: Iterable[Any] = version.get("tags", ()) if isinstance(version, Mapping) else ()
        return any(tag in self.tags for tag in tags)
