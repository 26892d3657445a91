"""What the modules are made of that `wigwag codegen` writes: one typed accessor for each flag.

flags = Flags(client.bind(user_id="u1"))
if flags.new_checkout: ...
colour = flags.button.value(default="grey")
"""

from typing import Any, Generic, TypeVar

from wigwag.bound import BoundFlags

T = TypeVar("T")
N = TypeVar("N", bound=str)

__all__ = ["Switch", "TypedFlags", "Valued"]


class TypedFlags:
    """All flags for one context. A generated class has an attribute for each."""

    __slots__ = ("_flags",)

    def __init__(self, flags: BoundFlags) -> None:
        self._flags = flags


class Switch:
    """A flag that is on or off. Each question is a decision: `if flags.new_checkout:` asks, and is counted."""

    __slots__ = ("_flags", "key")

    def __init__(self, flags: BoundFlags, key: str) -> None:
        self._flags = flags
        self.key = key

    @property
    def enabled(self) -> bool:
        """Whether it is on."""
        return self._flags.is_enabled(self.key)

    def __bool__(self) -> bool:
        """Return whether it is on. Without this, an `if` that forgets `.enabled` would always be true."""
        return self._flags.is_enabled(self.key)


class Valued(Switch, Generic[T, N]):
    """A flag with variants, whose values are of these kinds."""

    __slots__ = ("_kinds",)

    def __init__(self, flags: BoundFlags, key: str, kinds: tuple[type, ...]) -> None:
        super().__init__(flags, key)
        self._kinds = kinds

    @property
    def variant(self) -> N | None:
        """The name of the variant that the context is on. One added since the module was written is returned too."""
        found = self._flags.variant(self.key)
        return None if found is None else found.name  # type: ignore[return-value]  # see the docstring

    def value(self, default: T) -> T:
        """Return the value of the variant, else `default`; also where it is of a kind that the flag did not have.

        Somebody may have given the flag another sort of value since the module was written. The code was checked
        against the old sort, and has its default for what it does not expect.
        """
        found: Any = self._flags.value(self.key, default=default)
        return found if _fits(found, self._kinds) else default


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # to Python it is an int
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)
