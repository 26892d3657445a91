"""The JSON of webhooks, as types, for /openapi.json."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wigwag_server.admin.control_shapes import Names, Span
from wigwag_server.admin.key_bodies import MAX_NAME, MOST_LISTED
from wigwag_server.admin.shapes import Body, Comment
from wigwag_server.admin.webhook_bodies import LONGEST_URL
from wigwag_server.webhooks.standing import Standing
from wigwag_server.webhooks.webhook import SUBSCRIBABLE, Template

NAMES = tuple(each.value for each in SUBSCRIBABLE)
EventName = Literal[NAMES]  # type: ignore[valid-type] # the one list of them
Url = Annotated[str, Meta(max_length=LONGEST_URL, description="https, and to no private address.")]
Events = Annotated[tuple[EventName, ...], Meta(max_length=MOST_LISTED, description="None: all.")]


class WebhookBody(Body, frozen=True):
    """A webhook that is asked for. A filter that is empty lets everything through."""

    EXAMPLE: ClassVar[Any] = {"url": "https://hooks.example.com/wigwag", "events": ["kill", "revive"]}

    url: Url
    name: Annotated[str, Meta(max_length=MAX_NAME)] = ""
    events: Events = ()
    flags: Annotated[Names, Meta(description="Keys, or patterns such as `pay.*`.")] = ()
    tags: Names = ()
    environments: Names = ()
    template: Template = Template.JSON
    active: bool = True
    comment: Comment = ""


class WebhookPatch(Body, frozen=True):
    """What is to change about a webhook."""

    EXAMPLE: ClassVar[Any] = {"active": False}

    url: Url | UnsetType = UNSET
    name: Annotated[str, Meta(max_length=MAX_NAME)] | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    flags: Names | UnsetType = UNSET
    tags: Names | UnsetType = UNSET
    environments: Names | UnsetType = UNSET
    template: Template | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    comment: Comment = ""


class SecretBody(Body, frozen=True):
    """How long the old secret goes on signing beside the new one."""

    EXAMPLE: ClassVar[Any] = {"overlap": "24h"}

    overlap: Span = "24h"
    comment: Comment = ""


class WebhookAnswer(Standing, frozen=True, rename="camel", kw_only=True):
    """A webhook, without its secret, and how it fares."""

    id: str
    url: str
    name: str
    events: tuple[str, ...]
    flags: tuple[str, ...]
    tags: tuple[str, ...]
    environments: tuple[str, ...]
    template: Template
    active: bool
    created_at: int
    created_by: str
    previous_secret_until: Annotated[int | None, Meta(description="Until when the secret before this one signs too.")]


class NewWebhook(WebhookAnswer, frozen=True, rename="camel", kw_only=True):
    """A webhook whose secret is new. This is the only time that it is shown."""

    secret: str


class WebhookList(msgspec.Struct, frozen=True):
    """Webhooks, the newest first."""

    webhooks: tuple[WebhookAnswer, ...]


class Tested(msgspec.Struct, frozen=True):
    """How a test went."""

    id: Annotated[str, Meta(description="That of the event, as it is in the header `webhook-id`.")]
    delivered: bool
    status: Annotated[int | None, Meta(description="What the receiver answered; null where it did not.")]
    error: str
    ms: int


class WaitingDelivery(msgspec.Struct, frozen=True, rename="camel"):
    """An event that is not delivered yet."""

    id: str
    type: str
    environment: str
    at: int
    attempts: int
    due_at: int
    error: str


class PastDelivery(msgspec.Struct, frozen=True, rename="camel"):
    """An event that was delivered, or given up."""

    id: str
    type: str
    environment: str
    at: int
    ended_at: int
    delivered: bool
    attempts: int
    status: int | None
    error: str
    ms: int


class Deliveries(msgspec.Struct, frozen=True):
    """What waits, in order, and what became of the latest events, the newest first."""

    webhook: str
    waiting: tuple[WaitingDelivery, ...]
    recent: tuple[PastDelivery, ...]
