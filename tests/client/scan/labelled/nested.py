"""Flags inside flags. The number behind the mark is the depth."""

from wigwag import FlagClient

flags = FlagClient()


def nested(kind: str) -> str:
    if flags.is_enabled("outer"):  #: outer 1
        if flags.is_enabled("middle"):  #: middle 2
            return "x" if flags.is_enabled("inner") else "y"  #: inner 3
        return "z"
    elif flags.is_enabled("other"):  #: other 2
        return "o"
    return kind


def early() -> str:
    if not flags.is_enabled("door"):  #: door 1
        return "closed"
    while flags.is_enabled("loop"):  #: loop 2
        flags.is_enabled("loop_body")  #: loop_body 3
    return "open" if flags.is_enabled("after") else ""  #: after 2


def held() -> None:
    on = flags.is_enabled("held")  #: held 1
    for _ in range(3):
        try:
            if on:
                flags.is_enabled("in_held")  #: in_held 2
        finally:
            flags.is_enabled("finally")  #: finally 1
    with flags.guard("guarded"):  #: guarded 1
        flags.is_enabled("in_guard")  #: in_guard 2
    match flags.value("matched", default=""):  #: matched 1
        case "a":
            flags.is_enabled("in_match")  #: in_match 2
    flags.is_enabled("beside")  #: beside 1


def function_inside() -> None:
    if flags.is_enabled("defines"):  #: defines 1

        def inside() -> None:
            flags.is_enabled("inside")  #: inside 1


def both() -> None:
    if flags.is_enabled("both_a") and flags.is_enabled("both_b"):  #: both_a both_b 1
        flags.is_enabled("under_both")  #: under_both 3
    if (walrus := flags.is_enabled("walrus")) and walrus:  #: walrus 1
        flags.is_enabled("under_walrus")  #: under_walrus 2
