"""The command that signs a browser in."""

from wigwag.cli.call import Call, command
from wigwag.cli.output import note, say, say_json


@command
async def login_link(call: Call) -> None:
    """Print a link that signs a browser in, once.

    The web pages of the server open with it. It runs out within minutes.
    """
    async with call.admin() as admin:
        made = await admin.login_link()
        url = f"{admin.server.url}{made.get('path')}"
    if call.options.as_json:
        say_json({"url": url, "expiresAt": made.get("expiresAt")})
        return
    say(url)
    note("Open it in a browser within ten minutes. Whoever opens it first may do what your token may.")
