"""What stands in an event stream's URL in place of a key, since `EventSource` sends no headers. Pure.

It opens the one stream of one key, for a bounded time, and ends with its key. It is signed with the key's hash, which
only servers of this store know and whoever holds the key itself.
"""

import hashlib
import hmac

from wigwag_server.auth.keys import Key

# A token begins to count with its window, and counts for the one after that too.
WINDOW_S = 3600


def window_end(now_s: float) -> int:
    """Return until when (Unix s) the tokens that are made now are valid."""
    return (int(now_s) // WINDOW_S + 2) * WINDOW_S


def make_token(key: Key, until: int) -> str:
    """Return the token of a key that is valid until a time (Unix s)."""
    return f"{key.id}.{until}.{_signature(key, until)}"


def parse_token(token: str) -> tuple[str, int, str] | None:
    """Return key id, end and signature, or None for what is no token."""
    parts = token.split(".")
    if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdecimal() or len(parts[1]) > 12:
        return None
    return parts[0], int(parts[1]), parts[2]


def is_valid(key: Key, until: int, signature: str, now_s: float) -> bool:
    """Say whether the signature is the key's, and the time not over."""
    genuine = hmac.compare_digest(signature.encode(errors="replace"), _signature(key, until).encode())
    return genuine and now_s < until


def _signature(key: Key, until: int) -> str:
    return hmac.new(key.hash.encode(), f"ofrep-events:{key.id}:{until}".encode(), hashlib.sha256).hexdigest()
