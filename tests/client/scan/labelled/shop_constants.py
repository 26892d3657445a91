"""Uses of constants, of this module and of others."""

import shop_keys
import shop_keys as keys
from shop_keys import CHECKOUT, SEARCH as SEARCH_KEY
from shop_keys import FlagKey, Flags, OldKey
from wigwag import FlagClient

flags = FlagClient()
LOCAL = "const_local"
PREFIX = "new_"


def own() -> None:
    flags.is_enabled(LOCAL)  #: const_local
    inner = "const_inner"
    flags.is_enabled(inner)  #: const_inner
    moving = "a"
    moving = "b"
    flags.is_enabled(moving)  #: *


def imported() -> None:
    flags.is_enabled(CHECKOUT)  #: const_checkout
    flags.is_enabled(SEARCH_KEY)  #: const_search
    flags.is_enabled(shop_keys.CHECKOUT)  #: const_checkout
    flags.is_enabled(keys.SEARCH)  #: const_search
    flags.is_enabled(Flags.BANNER)  #: class_banner
    flags.is_enabled(Flags.Nested.DEEP)  #: class_deep
    flags.value(shop_keys.Flags.PRICE, default=0)  #: class_price
    flags.is_enabled(FlagKey.BASKET)  #: enum_basket
    flags.is_enabled(FlagKey.BASKET.value)  #: enum_basket
    flags.is_enabled(OldKey.LEGACY.value)  #: enum_legacy
    flags.is_enabled(keys.KEYS["pay"])  #: dict_pay
    flags.is_enabled(shop_keys.KEYS["ship"])  #: dict_ship
    flags.is_enabled(Flags.BANNER if CHECKOUT else LOCAL)  #: class_banner const_local


def dynamic(name: str, number: int) -> None:
    flags.is_enabled(name)  #: *
    flags.is_enabled(f"checkout_{number}")  #: *
    flags.is_enabled(PREFIX + name)  #: *
    flags.is_enabled("checkout_{}".format(number))  #: *
    flags.is_enabled(shop_keys.KEYS[name])  #: *
    flags.is_enabled(f"static")  #: static
    flags.is_enabled(shop_keys.UNKNOWN)  #: *
    flags.is_enabled(name or "fallback")  #: * fallback


class Own:
    KEY = "own_key"

    def ask(self) -> bool:
        return flags.is_enabled(self.KEY)  #: own_key

    @classmethod
    def ask_class(cls) -> bool:
        return flags.is_enabled(cls.KEY) and flags.is_enabled(Own.KEY)  #: own_key own_key
