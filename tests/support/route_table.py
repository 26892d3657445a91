"""The table of who is let in where, made of what the routes state: `python -m tests.support.route_table` renews it."""

import asyncio
import tempfile
from pathlib import Path

from aiohttp import web

from tests.support.server import running
from wigwag_server.app import build_app
from wigwag_server.auth.keys import KeyKind
from wigwag_server.auth.rights import Right, roles_with
from wigwag_server.web.operation import Operation, operation_of

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- who is let in: begin -->\n", "<!-- who is let in: end -->\n"


def table(app: web.Application) -> str:
    """Return the table."""
    routes = [
        (route.resource.canonical, route.method, operation_of(route.handler))
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    ]
    lines = [
        f"| `{method} {path}` | {who(stated)} |" for path, method, stated in sorted(routes, key=lambda each: each[:2])
    ]
    return "\n".join(["| route | who is let in |", "| --- | --- |", *lines]) + "\n"


def who(stated: Operation) -> str:
    """Say who is let in."""
    if isinstance(stated.needs, Right):
        return f"an admin token with the right to {stated.needs.value}: {', '.join(roles_with(stated.needs))}"
    names = [f"a {kind.value} key" if kind is not KeyKind.ADMIN else "an admin token" for kind in stated.needs]
    return " or ".join(names) or stated.whom


def renewed(page: str, made: str) -> str:
    """Return a page with another table."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n" + made + "\n" + END + rest.partition(END)[2]


async def main() -> None:
    """Write the table into the page."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(f"sqlite:{Path(folder) / 'flags.db'}") as server:
            made = table(build_app(server.services))
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
