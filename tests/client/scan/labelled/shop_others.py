"""OpenFeature, other people's clients, and what only looks like one."""

import logging
from openfeature import api
from unittest.mock import Mock

client = api.get_client()
logger = logging.getLogger(__name__)


def openfeature() -> None:
    client.get_boolean_value("of_boolean", False)  #: of_boolean
    client.get_string_value("of_string", "x")  #: of_string
    client.get_integer_value("of_integer", 1)  #: of_integer
    client.get_float_value("of_float", 1.0)  #: of_float
    client.get_object_value("of_object", {})  #: of_object
    client.get_boolean_details("of_details", False)  #: of_details
    client.get_string_details(flag_key="of_keyword", default_value="")  #: of_keyword


async def openfeature_async() -> None:
    await client.get_boolean_value_async("of_async", False)  #: of_async
    await client.get_object_details_async("of_async_details", {})  #: of_async_details


def temptations(response: Mock, button: Mock, element: Mock, key: str) -> None:
    logger.isEnabledFor(logging.DEBUG)
    button.is_enabled()
    button.is_enabled
    element.is_enabled(timeout=5)
    element.is_enabled(key)
    response.value("x")
    response.value
    response.variant("x")
    response.explain("SELECT 1")
    response.track("event")
    response.guard("door")
    print(response.get_value("x"))
    {"value": "variant"}.get("value")
    response.flags
    response.get_boolean("x")
    response.isEnabled("camel")
    client.set_value("x", 1)
    response.bind(("127.0.0.1", 80))
    "flags".join(["value", "variant"])
    response.overridden(checkout=True)


def unknown_receiver(anything: Mock) -> None:
    anything.is_enabled("sounds_like_one")  #: sounds_like_one
    anything.is_enabled(f"sounds_{anything}")  #: *
