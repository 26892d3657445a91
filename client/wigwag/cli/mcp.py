"""`wigwag mcp`."""

from wigwag.cli.call import Call, command
from wigwag.cli.exits import ExitCode, Stop


@command
async def mcp(call: Call) -> None:
    """Serve the flags to an assistant, over MCP.

    On standard input and output. What may be done is what the role of the token may.
    """
    try:
        from wigwag.cli.mcp_server import build  # noqa: PLC0415 - a part of the extra `mcp`
    except ImportError:
        raise Stop("this needs the MCP SDK: pip install 'wigwag[mcp]'", ExitCode.USAGE) from None
    async with call.admin() as admin:
        await build(admin).run_stdio_async()
