"""`wigwag webhooks …`: which systems are told of what."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, Yes
from wigwag.cli.call import Call, command, group
from wigwag.cli.confirm import confirm
from wigwag.cli.exits import Stop
from wigwag.cli.output import draw, note, plain, say, say_json
from wigwag.cli.tables import table

Plain = dict[str, Any]
Texts = list[str] | None

Id = Annotated[str, typer.Argument(metavar="ID", help="As 'wigwag webhooks list' shows it.", show_default=False)]


@command
async def list_webhooks(call: Call) -> None:
    """List the webhooks, what they are told, and how that goes."""
    async with call.admin() as admin:
        found = (await admin.get("webhooks", of_server=True)).get("webhooks", [])
    if call.options.as_json:
        return say_json(found)
    rows = [
        (
            each.get("id"),
            each.get("name"),
            each.get("url"),
            each.get("template"),
            each.get("events") or "all",
            _filter(each),
            each.get("state"),
            each.get("waiting"),
            each.get("lastError"),
        )
        for each in found
    ]
    return draw(table(["ID", "NAME", "URL", "TEMPLATE", "EVENTS", "ONLY", "STATE", "WAITING", "LAST ERROR"], rows))


@command
async def create(
    call: Call,
    target: Annotated[str, typer.Argument(metavar="URL", help="Where to send events.", show_default=False)],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="What it is for.", show_default=False)] = "",
    event: Annotated[Texts, typer.Option(metavar="EVENT", help="Only this: kill, revive, …  (repeatable)")] = None,
    flag: Annotated[Texts, typer.Option(metavar="KEY", help="Only flags named so: 'pay.*'.  (repeatable)")] = None,
    tag: Annotated[Texts, typer.Option(metavar="TAG", help="Only flags with this tag.  (repeatable)")] = None,
    only_environment: Annotated[
        Texts, typer.Option(metavar="NAME", help="Only this environment.  (repeatable)")
    ] = None,
    slack: Annotated[bool, typer.Option("--slack", help="Send messages as Slack takes them.")] = False,
    comment: Comment = "",
) -> None:
    """Have events sent to a URL.

    The secret that signs them is shown this once.
    """
    lists = {"events": event, "flags": flag, "tags": tag, "environments": only_environment}
    body: Plain = {"url": target, **{field: value for field, value in lists.items() if value}}
    body |= {field: value for field, value in (("name", name), ("comment", comment)) if value}
    body |= {"template": "slack"} if slack else {}
    async with call.admin() as admin:
        made = await admin.post("webhooks", body=body, of_server=True)
    _tell(call, made, f"made the webhook {made.get('id')}. Its secret is shown this once:")


@command
async def rotate(
    call: Call,
    webhook_id: Id,
    *,
    overlap: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long the old secret signs too: 24h (the default), 0s for not at all."),
    ] = None,
    comment: Comment = "",
) -> None:
    """Make a secret in place of the one that there is."""
    body = {**({"overlap": overlap} if overlap else {}), **({"comment": comment} if comment else {})}
    async with call.admin() as admin:
        made = await admin.post("webhooks", webhook_id, "rotate", body=body, of_server=True)
    _tell(call, made, f"made a new secret for the webhook {webhook_id}. It is shown this once:")


@command
async def test(call: Call, webhook_id: Id) -> None:
    """Send an event now, and say how that went."""
    async with call.admin() as admin:
        tested = await admin.post("webhooks", webhook_id, "test", of_server=True)
    if call.options.as_json:
        say_json(tested)
    if not tested.get("delivered"):
        raise Stop(f"not delivered: {tested.get('error')}")
    if not call.options.as_json:
        say(f"delivered in {tested.get('ms')} ms: the receiver answered {tested.get('status')}")


@command
async def retry(call: Call, webhook_id: Id, *, comment: Comment = "") -> None:
    """Send what waits now: for when the receiver is well again."""
    body = {"comment": comment} if comment else {}
    async with call.admin() as admin:
        webhook = await admin.post("webhooks", webhook_id, "retry", body=body, of_server=True)
    if call.options.as_json:
        return say_json(webhook)
    return say(f"{webhook.get('waiting')} that wait for {webhook_id} are being sent")


@command
async def delete(call: Call, webhook_id: Id, *, yes: Yes = False, comment: Comment = "") -> None:
    """Send nothing to a webhook any more; what waits is dropped."""
    async with call.admin() as admin:
        webhook = await admin.get("webhooks", webhook_id, of_server=True)
        if not yes:
            what = f"This deletes the webhook {webhook_id} to {plain(str(webhook.get('url')))}."
            await confirm(what, f"wigwag webhooks delete {webhook_id} --yes")
        await admin.remove("webhooks", webhook_id, query=[("comment", comment)] if comment else [], of_server=True)
    if call.options.as_json:
        return say_json({"deleted": webhook_id})
    return say(f"deleted {webhook_id}")


def _tell(call: Call, made: Plain, words: str) -> None:
    """Write the secret as the result, so that a script can take it, and all else beside it."""
    if call.options.as_json:
        return say_json(made)
    note(words)
    return say(plain(str(made.get("secret"))))


def _filter(webhook: Plain) -> str:
    parts = [(field, webhook.get(field)) for field in ("environments", "flags", "tags")]
    return "; ".join(f"{field} {', '.join(names)}" for field, names in parts if names)


webhooks = group(
    "Systems that are told of kills, changes and troubles.",
    ("list", list_webhooks),
    ("create", create),
    ("rotate", rotate),
    ("test", test),
    ("retry", retry),
    ("delete", delete),
)
