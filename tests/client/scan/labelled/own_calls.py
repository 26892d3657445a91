"""A function of the code's own that takes a key, as large code bases have one: the scan is told its name, flag_set."""

from typing import Any

import core
from core.gates import flag_set

import shop_keys

KEY = "own_constant"


def view(request: Any, user: Any, *arguments: Any, **options: Any) -> None:
    flag_set("own_bare")  #: own_bare
    flag_set("own_user", user=request.user)  #: own_user
    flag_set(KEY, user="auto")  #: own_constant
    flag_set(shop_keys.CHECKOUT, user)  #: const_checkout
    core.gates.flag_set("own_dotted", user)  #: own_dotted
    self_like = request.gates.flag_set("own_attribute")  #: own_attribute
    flag_set(key="own_key")  #: own_key
    flag_set(flag_name="own_flag_name", user=user)  #: own_flag_name
    flag_set(feature_name="own_feature", user=user)  #: own_feature
    if flag_set("own_first", user=user) and flag_set(  #: own_first own_second
        "own_second", user=user
    ):
        pass
    flag_set(*arguments, **options)  #: *
    flag_set(f"own_{user.id}")  #: *
    flag_set("own_a" if user else "own_b")  #: own_a own_b
    flag_set(["own_listed", "own_listed_too", user.key])  #: own_listed own_listed_too *
    flag_set(("own_tuple",))  #: own_tuple
    print(self_like, any(flag_set(each) for each in arguments))  #: *
    # Named, but not asked.
    flag_set
    print("flag_set('own_text')")
    set_flag("own_reversed")
    flag_set_all("own_longer", user)
    my_flag_set = {"flag_set": "own_dict"}
    my_flag_set.get("flag_set")


def set_flag(name: str) -> None: ...


def flag_set_all(name: str, user: Any) -> None: ...
