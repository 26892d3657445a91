"""The address of a Redis of several hosts: `scheme://user:password@host:port,host:port/path?options`. Pure."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio.connection import parse_url

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Hosts:
    """What such an address says. `options` are those of a connection, the login among them."""

    addresses: tuple[Address, ...]
    path: tuple[str, ...]
    tls: bool
    options: dict[str, Any]
    extra: dict[str, str]

    @property
    def tls_options(self) -> dict[str, Any]:
        """Which of the options are about TLS."""
        return {name: value for name, value in self.options.items() if name.startswith("ssl")}


def read_hosts(url: str, default_port: int, *extra: str) -> Hosts:
    """Read an address. `extra` are names in its query that are not for the connection. Raises ValueError."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    query = dict(parse_qsl(parts.query))
    own = {name: query.pop(name) for name in extra if name in query}
    tls = parts.scheme.startswith("rediss")
    # The library knows how to read what a query may say; it wants a URL of one host for that.
    options: dict[str, Any] = dict(parse_url(f"redis{'s' * tls}://localhost/?{urlencode(query)}"))
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    options |= {"username": unquote(username) or None, "password": unquote(password) or None}
    addresses = tuple(_address(each, default_port) for each in hosts.split(",") if each)
    return Hosts(addresses, tuple(each for each in parts.path.split("/") if each), tls, options, own)


def _address(text: str, default_port: int) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default_port)
    if not host or not port.isdecimal():
        raise ValueError(f"{text!r} is no host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
