"""Who a client is: what operators know it by when they look for the process that lags."""

import os
import secrets
import socket
import time
from importlib.metadata import PackageNotFoundError, version

from wigwag_proto.telemetry import LONGEST_NAME, Instance


def new_instance(label: str) -> Instance:
    """Return the identity of one run of a client, in this process. `label` says what the process is for."""
    return Instance(
        id=secrets.token_urlsafe(12),
        label=_readable(label),
        host=_readable(socket.gethostname()),
        pid=os.getpid(),
        started_at=round(time.time() * 1000),
        sdk=f"wigwag-python/{_version()}",
    )


def _readable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST_NAME]


def _version() -> str:
    try:
        return version("wigwag")
    except PackageNotFoundError:
        return "unknown"
