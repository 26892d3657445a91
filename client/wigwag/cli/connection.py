"""Which server a command speaks to, and with what token.

The URL is looked for in the options, then in the environment, then in `.wigwag/dev.json`, which
`wigwag-server --dev` writes, of this folder or one above it. A secret goes only to a server that was named at least
as plainly: `WIGWAG_TOKEN` is never sent where only a file that happens to lie here points to.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yarl import URL

from wigwag.cli.exits import ExitCode, Stop

DEV_FILE = Path(".wigwag/dev.json")
HOW_TO = (
    "Give --url and --token, or set WIGWAG_URL and WIGWAG_TOKEN, "
    "or start 'wigwag-server --dev' in this folder or one above it."
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server and a secret for it; `origin` and `secret_origin` say where they were found, for messages."""

    url: str
    secret: str
    origin: str
    secret_origin: str

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Server(url={self.url!r})"


@dataclass(frozen=True, slots=True)
class Secret:
    """One kind of secret, by its names in the options, in the environment and in dev.json."""

    what: str
    option: str
    variable: str
    field: str


TOKEN = Secret("admin token", "--token", "WIGWAG_TOKEN", "adminToken")
SERVER_KEY = Secret("server key", "--key", "WIGWAG_KEY", "serverKey")


def find_server(secret: Secret, url: str | None, given: str | None, environ: Mapping[str, str], folder: Path) -> Server:
    """Return the server for these options. Raises Stop."""
    named = url or environ.get("WIGWAG_URL")
    dev, dev_file = ({}, None) if named and (given or environ.get(secret.variable)) else _dev_file(folder)
    if named:
        origin = "--url" if url else "WIGWAG_URL"
        candidates = [(given, secret.option), (environ.get(secret.variable), secret.variable)]
        if _same_server(named, dev.get("url")):
            candidates.append((dev.get(secret.field), str(dev_file)))
    elif dev_file is not None:
        named, origin = dev["url"], str(dev_file)
        candidates = [(given, secret.option), (dev.get(secret.field), str(dev_file))]
    else:
        raise Stop(f"it is not said which server to use. {HOW_TO}", ExitCode.USAGE)
    named = _checked_url(named, origin)
    for value, secret_origin in candidates:
        if value and value.strip():
            return Server(named, _checked_secret(value, secret_origin), origin, secret_origin)
    where = f"Give {secret.option}, or set {secret.variable}."
    raise Stop(f"there is no {secret.what} for {named}. {where}", ExitCode.USAGE)


def _dev_file(folder: Path) -> tuple[dict[str, Any], Path | None]:
    """Return the nearest dev.json and its path; ({}, None) where there is none."""
    for parent in (folder, *folder.parents):
        path = parent / DEV_FILE
        try:
            dev = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise _unusable(path, str(error)) from None
        if not isinstance(dev, dict) or not all(isinstance(dev.get(field), str) for field in ("url", TOKEN.field)):
            raise _unusable(path, "it has no url and adminToken")
        return dev, path
    return {}, None


def _unusable(path: Path, why: str) -> Stop:
    detail = "Start 'wigwag-server --dev' again, which writes it anew, or delete it."
    return Stop(f"{path} cannot be used: {why}. {detail}", ExitCode.USAGE)


def _same_server(one: str, other: str | None) -> bool:
    return other is not None and one.rstrip("/") == other.rstrip("/")


def _checked_url(text: str, origin: str) -> str:
    if not text.startswith(("http://", "https://")):
        hint = f"; is it http://{text}?" if "://" not in text else ""
        raise Stop(f"a server's URL begins with http:// or https://, unlike {text!r} ({origin}){hint}", ExitCode.USAGE)
    try:
        if URL(text).host:
            return text.rstrip("/")
    except ValueError:
        pass
    raise Stop(f"{text!r} ({origin}) is not a URL; it looks like http://127.0.0.1:8420", ExitCode.USAGE)


def _checked_secret(text: str, origin: str) -> str:
    text = text.strip()
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    raise Stop(f"{origin} holds characters that no token has; was all of it copied, and only it?", ExitCode.USAGE)
