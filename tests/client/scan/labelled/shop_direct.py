"""Plain calls on a client of every sort of name."""

import asyncio
from functools import partial

import wigwag
from wigwag import FlagClient, Settings

client = FlagClient("http://127.0.0.1:8420", "key")
feature_flags = wigwag.FlagClient("http://127.0.0.1:8420", "key", settings=Settings())


async def main() -> None:
    async with FlagClient() as flags:
        if flags.is_enabled("checkout"):  #: checkout
            print("on")
        if flags.is_enabled("checkout", user_id="u1", plan="premium"):  #: checkout
            print("on")
        flags.is_enabled(  #: search
            "search",
            default=True,
        )
        flags.variant("button", user_id="u1")  #: button
        flags.value("colour", default="grey")  #: colour
        flags.explain("checkout")  #: checkout
        flags.track("checkout", error=True)  #: checkout
        with flags.guard("payments"):  #: payments
            print("guarded")
        bound = flags.bind(user_id="u1")
        bound.is_enabled("bound_flag")  #: bound_flag
        bound.variant("bound_variant")  #: bound_variant
        bound.value("bound_value", default=1)  #: bound_value
        flags.bind(user_id="u2").variant("chained")  #: chained
        flags.all(user_id="u1")
        await flags.refresh()


def module_level() -> None:
    client.is_enabled("module_client")  #: module_client
    client.value("module_value", default=None)  #: module_value
    feature_flags.variant("named")  #: named
    client.is_enabled(key="by_keyword")  #: by_keyword


def annotated(reader: FlagClient, other: "wigwag.FlagClient", maybe: FlagClient | None, plain: object) -> None:
    reader.value("annotated", default=0)  #: annotated
    other.variant("annotated_text")  #: annotated_text
    if maybe is not None:
        maybe.variant("annotated_union")  #: annotated_union
    plain.value("not_a_flag")
    plain.variant("not_a_variant")


class Service:
    def __init__(self, flags: FlagClient) -> None:
        self.flags = flags
        self._reader = flags

    def run(self) -> bool:
        self._reader.value("self_reader", default=0)  #: self_reader
        return self.flags.is_enabled("self_flags")  #: self_flags

    async def later(self) -> None:
        await asyncio.to_thread(self.flags.is_enabled, "to_thread")  #: to_thread
        asyncio.get_running_loop().run_in_executor(None, self.flags.is_enabled, "executor")  #: executor
        partial(self.flags.is_enabled, "partial")  #: partial


def aliases() -> None:
    is_on = client.is_enabled
    is_on("alias")  #: alias
    if is_on("alias_again"):  #: alias_again
        print("on")
    variant_of = client.variant
    variant_of("alias_variant")  #: alias_variant
    other = print
    other("not_an_alias")


def choices(premium: bool) -> None:
    client.is_enabled("one" if premium else "two")  #: one two
    client.is_enabled(premium and "three" or "four")  #: * three four
    client.is_enabled(str("wrapped"))  #: wrapped
    client.is_enabled("joined" "_text")  #: joined_text
