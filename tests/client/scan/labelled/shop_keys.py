"""Keys as constants."""

from enum import Enum, StrEnum

CHECKOUT = "const_checkout"
SEARCH: str = "const_search"
TWICE = "first"
TWICE = "second"
KEYS = {"pay": "dict_pay", "ship": "dict_ship"}


class Flags:
    BANNER = "class_banner"
    PRICE: str = "class_price"

    class Nested:
        DEEP = "class_deep"


class FlagKey(StrEnum):
    BASKET = "enum_basket"


class OldKey(Enum):
    LEGACY = "enum_legacy"
