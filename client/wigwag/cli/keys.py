"""`wigwag keys …`: who may come in."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, Yes
from wigwag.cli.call import Call, command, group
from wigwag.cli.confirm import confirm
from wigwag.cli.output import draw, note, plain, say, say_json
from wigwag.cli.tables import moment, table

Plain = dict[str, Any]
Texts = list[str] | None

Id = Annotated[str, typer.Argument(metavar="ID", help="As 'wigwag keys list' shows it.", show_default=False)]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires", metavar="TIME", help="When it runs out: 90d, or 2030-01-31T12:00:00Z.", show_default=False
    ),
]


@command
async def list_keys(call: Call) -> None:
    """List the keys, what they may do, and when they were used.

    Those of all environments, unless --environment is given.
    """
    async with call.admin() as admin:
        found = (await admin.get("keys", of_server=True)).get("keys", [])
    if call.options.environment is not None:
        found = [each for each in found if call.environment in (each.get("environment"), *_served(each))]
    if call.options.as_json:
        return say_json(found)
    rows = [
        (
            each.get("id"),
            each.get("kind"),
            each.get("name"),
            each.get("environment") or each.get("environments") or "all",
            _may(each),
            moment(each.get("lastUsedAt")),
            "expired" if each.get("expired") else moment(each.get("expiresAt")),
            each.get("streams"),
        )
        for each in found
    ]
    return draw(table(["ID", "KIND", "NAME", "ENVIRONMENT", "MAY", "LAST USED", "EXPIRES", "STREAMS"], rows))


@command
async def create(
    call: Call,
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="server, client, admin, hook (for alerts), or relay.", show_default=False),
    ],
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Whose it is.", show_default=False)] = None,
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Of an admin token: viewer, operator, editor or admin.")
    ] = None,
    only_environment: Annotated[
        Texts,
        typer.Option(
            metavar="NAME", help="Limit an admin token to this environment, or have a relay serve it.  (repeatable)"
        ),
    ] = None,
    flag: Annotated[
        Texts,
        typer.Option(metavar="KEY", help="What a hook may kill, or an admin token change: 'pay.*'.  (repeatable)"),
    ] = None,
    tag: Annotated[Texts, typer.Option(metavar="TAG", help="Limit an admin token to such flags.  (repeatable)")] = None,
    expires: Expires = None,
    comment: Comment = "",
) -> None:
    """Make a key.

    Its token is shown this once: only a hash of it is stored.
    """
    lists = {"environments": only_environment, "flags": flag, "tags": tag}
    body: Plain = {"kind": kind, **{field: value for field, value in lists.items() if value}}
    if kind == "relay":
        body["environments"] = only_environment or [call.environment]
    elif kind != "admin":
        body["environment"] = call.environment
    body |= {field: value for field, value in (("name", name), ("role", role)) if value is not None}
    body |= _expiry(expires)
    body |= {"comment": comment} if comment else {}
    async with call.admin() as admin:
        made = await admin.post("keys", body=body, of_server=True)
    of = f" for {made['environment']}" if made.get("environment") else ""
    _tell(
        call, made, f"made the {kind} key {made.get('id')} ({plain(str(made.get('name')))}){of}. It is shown this once:"
    )


@command
async def rotate(
    call: Call,
    key_id: Id,
    *,
    overlap: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long the old one goes on: 24h (the default), 0s for not at all."),
    ] = None,
    expires: Expires = None,
    comment: Comment = "",
) -> None:
    """Make a key in place of another, which goes on for a while."""
    body = {
        **({"overlap": overlap} if overlap else {}),
        **_expiry(expires),
        **({"comment": comment} if comment else {}),
    }
    async with call.admin() as admin:
        made = await admin.post("keys", key_id, "rotate", body=body, of_server=True)
    old = made.get("rotated") or {}
    until = f"goes on until {moment(old.get('expiresAt'))}" if not old.get("expired") else "is not valid any more"
    _tell(call, made, f"made {made.get('id')} in place of {key_id}, which {until}. It is shown this once:")


@command
async def revoke(call: Call, key_id: Id, *, yes: Yes = False, comment: Comment = "") -> None:
    """End a key, and the streams that it has opened."""
    async with call.admin() as admin:
        key = await admin.get("keys", key_id, of_server=True)
        if not yes:
            name = plain(str(key.get("name")))
            what = f"This ends the {key.get('kind')} key {key_id} ({name}), with {key.get('streams')} open streams."
            await confirm(what, f"wigwag keys revoke {key_id} --yes")
        await admin.remove("keys", key_id, query=[("comment", comment)] if comment else [], of_server=True)
    if call.options.as_json:
        return say_json({"revoked": key_id})
    return say(f"revoked {key_id}")


def _tell(call: Call, made: Plain, words: str) -> None:
    """Write the token as the result, so that a script can take it, and all else beside it."""
    if call.options.as_json:
        return say_json(made)
    note(words)
    return say(plain(str(made.get("key"))))


def _expiry(expires: str | None) -> Plain:
    if expires is None:
        return {}
    return {"expiresAt" if "T" in expires else "expiresIn": expires}


def _served(key: Plain) -> list[str]:
    """Return the environments that the key of a relay is for."""
    return key.get("environments", []) if key.get("kind") == "relay" else []


def _may(key: Plain) -> str:
    words = [str(key["role"])] if key.get("role") else []
    words += [f"flags {', '.join(key['flags'])}"] if key.get("flags") else []
    words += [f"tags {', '.join(key['tags'])}"] if key.get("tags") else []
    return "; ".join(words)


keys = group(
    "Keys of apps and alerting systems, and admin tokens.",
    ("list", list_keys),
    ("create", create),
    ("rotate", rotate),
    ("revoke", revoke),
)
