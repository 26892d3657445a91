"""How a command ends when it cannot do what it was asked."""

from enum import IntEnum
from typing import Any

from wigwag_proto.errors import WigwagError


class ExitCode(IntEnum):
    """What scripts go by. Part of the public surface: `wigwag --help` has the list."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    UNAUTHORISED = 4
    NO_SUCH_FLAG = 5
    NOT_CONFIRMED = 6
    WAITING = 7
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Stop(WigwagError):
    """Ends the command with a message that says what to do, and an exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class Proposed(Stop):
    """The environment asks for a second person: nothing has changed yet. `answer` is what the server said."""

    def __init__(self, message: str, answer: dict[str, Any]) -> None:
        super().__init__(message, ExitCode.WAITING)
        self.answer = answer


class FlagChanged(Stop):
    """The flag is not as it was read: somebody else has changed it meanwhile."""


class NoSuchFlag(Stop):
    """There is no flag of that key; `nearest` are keys that may have been meant."""

    def __init__(self, message: str, nearest: list[str]) -> None:
        super().__init__(message, ExitCode.NO_SUCH_FLAG)
        self.nearest = nearest
