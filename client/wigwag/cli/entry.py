"""Where `wigwag` begins: before anything is imported that only the extra `cli` brings."""

import sys

MISSING = 'wigwag: the command line needs typer, rich and PyYAML, which are not installed: pip install "wigwag[cli]"'


def main() -> None:
    """Run the command."""
    try:
        from wigwag.cli.app import app  # noqa: PLC0415 - a client-only install has to get as far as the message
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("typer", "rich", "yaml"):
            raise
        sys.exit(MISSING)
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="wigwag")
