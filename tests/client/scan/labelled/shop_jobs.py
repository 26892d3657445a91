"""A worker, comprehensions, lambdas, closures, generators and other corners of the language."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from wigwag import BoundFlags, FlagClient

flags: FlagClient = FlagClient()
TABLE = {"export": flags.is_enabled, "import": print}
DEFAULT = flags.value("at_import", default=3)  #: at_import


@dataclass
class Job:
    reader: BoundFlags
    retries: int = field(default_factory=lambda: flags.value("job_retries", default=1))  #: job_retries

    @property
    def fast(self) -> bool:
        return self.reader.is_enabled("job_fast")  #: job_fast

    def sizes(self) -> list[int]:
        return [size for size in range(9) if flags.is_enabled("job_sizes", size=size)]  #: job_sizes

    def names(self) -> Iterator[str]:
        yield from (name for name in ("a", "b") if flags.is_enabled("job_names"))  #: job_names
        yield flags.value("job_yield", default="")  #: job_yield


async def worker(queue: asyncio.Queue[str], client: FlagClient) -> None:
    while client.is_enabled("worker_loop"):  #: worker_loop
        name = await queue.get()
        match client.variant("worker_variant", user_id=name):  #: worker_variant
            case None:
                continue
            case variant if client.is_enabled("worker_guard"):  #: worker_guard
                print(variant)
        assert client.is_enabled("worker_assert"), "never"  #: worker_assert
        del queue
    else:
        client.track("worker_done")  #: worker_done


async def stream(client: FlagClient) -> AsyncIterator[str]:
    async for change in client.changes():
        if client.is_enabled("stream_inner"):  #: stream_inner
            yield change.key


def closures() -> Callable[[], bool]:
    bound = flags.bind(user_id="u1")

    def inner() -> bool:
        return bound.is_enabled("closure")  #: closure

    deeper = lambda: bound.value("closure_lambda", default=0)  #: closure_lambda
    print(deeper())
    return inner


def formatted(user: str) -> str:
    return f"{flags.is_enabled('in_fstring')} {flags.value('in_fstring_value', default=user)}"  #: in_fstring in_fstring_value


def arguments(default: bool = flags.is_enabled("as_default")) -> None:  #: as_default
    print(default, *[flags.is_enabled("in_list")], **{"on": flags.is_enabled("in_dict")})  #: in_list in_dict


def raising() -> None:
    try:
        flags.is_enabled("in_try")  #: in_try
    except ValueError:
        flags.is_enabled("in_except")  #: in_except
    else:
        flags.is_enabled("in_else")  #: in_else
    finally:
        flags.is_enabled("in_finally")  #: in_finally
    raise RuntimeError(flags.value("in_raise", default=""))  #: in_raise


def compared() -> bool:
    return (
        flags.value("cmp_left", default=1) < flags.value("cmp_right", default=2)  #: cmp_left cmp_right
        and not flags.is_enabled("cmp_not")  #: cmp_not
        or flags.is_enabled("cmp_or")  #: cmp_or
    )


def several() -> tuple[bool, bool]:
    return flags.is_enabled("pair_a"), flags.is_enabled("pair_b")  #: pair_a pair_b


def global_use() -> None:
    global flags
    flags.is_enabled("global")  #: global


class Meta(type):
    on = flags.is_enabled("class_body")  #: class_body


def unicode_and_long() -> None:
    flags.is_enabled("with.dots-and_dashes")  #: with.dots-and_dashes
    flags.is_enabled("UPPER")  #: UPPER
    flags.is_enabled("9digits")  #: 9digits
    flags.is_enabled('single')  #: single
    flags.is_enabled("""triple""")  #: triple
    flags.is_enabled(r"raw")  #: raw
    flags.is_enabled(("parenthesised"))  #: parenthesised


def tempting(values: dict[str, str], settings: object) -> None:
    # flags.is_enabled("in_a_comment")
    print('flags.is_enabled("in_a_text")')
    values["flags"].strip()
    settings.is_enabled
    TABLE["export"]
    flags.close
    flags.status.source
    flags.on_change(print)
    FlagClient("http://127.0.0.1", "key")
