"""Where `wigwag-server` begins: before anything is imported that only the extra `server` brings."""

import sys

BROUGHT = ("aiosqlite", "prometheus_client", "redis", "typer")
MISSING = 'wigwag-server: the server needs {name}, which is not installed: pip install "wigwag[server]"'


def main() -> None:
    """Run the command."""
    try:
        from wigwag_server.__main__ import app  # noqa: PLC0415 - a client-only install has to get as far as the message
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in BROUGHT:
            raise
        sys.exit(MISSING.format(name=name))
    app(prog_name="wigwag-server")
