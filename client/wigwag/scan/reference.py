"""What a scan finds."""

import msgspec


class Reference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One place where code asks for a flag.

    `flag` is None where the key is made at run time; `text` then says of what. `call` is how it is asked for, such as
    `is_enabled` or `requires_flag`; "token" for a key that only stands there, in a language that is not parsed.
    `function` is the surrounding function, dotted, "" at the top of a module. `within` are the flags that this place
    is reached under.
    """

    file: str
    line: int
    column: int
    flag: str | None
    call: str
    function: str = ""
    within: tuple[str, ...] = ()
    text: str = ""

    @property
    def depth(self) -> int:
        """How many flags decide whether this one counts, itself included."""
        return len({*self.within, self.flag} - {None})


class Scan(msgspec.Struct, frozen=True):
    """Everything that was found, by file and line; `unread` are the files that could not be read, and why."""

    references: tuple[Reference, ...]
    unread: dict[str, str]
    files: int
