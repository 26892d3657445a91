"""What a server is told at its start. One frozen object a concern; `__main__` makes them of options and environment."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from wigwag_proto.errors import WigwagError

DEFAULT_PORT = 8420


class BadSetting(WigwagError):
    """A setting that cannot be; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. Port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    insecure_http: bool = False
    reuse_port: bool = False  # other servers may listen there too; the kernel shares new connections out

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self) -> None:
        """Refuse what would send keys over a network in the clear. Raises BadSetting."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise BadSetting("--tls-certificate and --tls-key go together: give both or neither")
        if not (self.loopback or self.tls_certificate or self.insecure_http):
            raise BadSetting(
                f"--listen {self.host}:{self.port} is reachable from other machines, and keys would travel in the "
                "clear. Give --tls-certificate and --tls-key; or, where a proxy in front does TLS, --insecure-http."
            )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for (bytes), how much there may be of something, and how often it may be done.

    `failed_keys` are those of one address that are not valid, `writes` those of one admin token: so many at once, and
    so many a second after that.
    """

    body_bytes: int = 1024 * 1024
    flag_bytes: int = 256 * 1024
    flags: int = 10_000
    segments: int = 10_000
    import_bytes: int = 8 * 1024 * 1024
    environments: int = 100
    keys: int = 10_000
    webhooks: int = 50
    approvals: int = 200
    approval_bytes: int = 16 * 1024 * 1024
    failed_keys: int = 30
    failed_keys_per_s: float = 0.5
    writes: int = 1000
    writes_per_s: float = 100.0
    snapshots_at_once: int = 256
    context_bytes: int = 64 * 1024
    instances: int = 50_000


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """How long clients may take.

    `idle_s` is for the head of a request, from when the connection was made or the answer before it was out; `body_s`
    for a body; `unread_s` is how long nothing of an answer may be taken, although there is something to take.
    """

    idle_s: float = 75.0  # longer than proxies keep a connection, or they would send requests into one that closes
    body_s: float = 60.0
    unread_s: float = 30.0


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """How long a browser stays signed in: `idle_s` while nobody does anything, `longest_s` in all.

    `link_s` is how long a link that signs in may wait to be used.
    """

    idle_s: float = 2 * 3600
    longest_s: float = 12 * 3600
    link_s: float = 600


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything.

    `patience_s` is how long a start waits for the store, `drain_s` how long a stop may take, `heartbeat_s` how
    often each stream hears from the server. `settle_s` is how long the servers of a Redis that came back may offer
    what they hold, before the best of it is the state again. Connections end at a random age of 80 to 100 % of
    `max_connection_age_s` (None: never), so that after a restart the streams find their way back to all servers.
    `cors_origins` are those of web pages that may ask with a browser key; `*` is any. `webhook_allow_private` lets
    webhooks lead to private addresses, and to http. `trusted_proxies` are believed whom
    they forward for. `otel` has commits traced by OpenTelemetry.
    """

    listen: Listen = field(default_factory=Listen)
    store: str = field(default="sqlite:wigwag.db", repr=False)  # it may hold a password
    data_dir: Path | None = None
    dev: bool = False
    bootstrap_token: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    sessions: SessionTimes = field(default_factory=SessionTimes)
    request_times: RequestTimes = field(default_factory=RequestTimes)
    patience_s: float = 5.0
    drain_s: float = 5.0
    heartbeat_s: float = 5.0
    settle_s: float = 3.0
    max_connection_age_s: float | None = None
    cors_origins: tuple[str, ...] = ()
    webhook_allow_private: bool = False
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    otel: bool = False


def parse_listen(text: str) -> tuple[str, int]:
    """Read `host:port`, `:port`, `[::1]:port`. Raises BadSetting."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise BadSetting(f"--listen {text!r} is not host:port, such as 127.0.0.1:{DEFAULT_PORT}")
    host = host.removeprefix("[").removesuffix("]")
    if ":" in host and not text.startswith("["):
        raise BadSetting(f"--listen {text!r}: put an IPv6 address in brackets, such as [::1]:{DEFAULT_PORT}")
    return host or "0.0.0.0", int(port)  # noqa: S104 - checked by Listen.check


def parse_origin(text: str) -> str:
    """Read an origin as browsers send it: scheme, host, port, and nothing else. Raises BadSetting."""
    url = urlsplit(text)
    if text == "*" or (url.scheme in ("http", "https") and url.netloc and text == f"{url.scheme}://{url.netloc}"):
        return text
    raise BadSetting(f"--cors-origin {text!r} is no origin, such as https://shop.example (without a path), or *")


def parse_proxies(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read addresses and networks, separated by commas or blanks. Raises BadSetting."""
    try:
        return tuple(ip_network(each) for each in text.replace(",", " ").split())
    except ValueError as error:
        wanted = "a list of addresses or networks, such as 10.0.0.0/8,2001:db8::/32 or 127.0.0.1"
        raise BadSetting(f"--trusted-proxies {text!r} is not {wanted}: {error}") from None
