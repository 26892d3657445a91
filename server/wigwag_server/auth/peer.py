"""Who is at the other end of a request. What proxies say of it counts where they are trusted, and only there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Peer:
    """The address that a request came from, and whether it is known to have travelled by TLS as far as our side."""

    address: str
    tls: bool


PEER = web.RequestKey("peer", Peer)


def address_of(request: web.Request) -> str:
    """Return the address of whoever sent a request, as far as it is known."""
    return request[PEER].address


def peer_of(
    remote: str, forwarded_for: Iterable[str], forwarded_proto: Sequence[str], *, trusted: Sequence[Network], tls: bool
) -> Peer:
    """Return who sent a request that came from `remote`, by TLS if `tls`. Pure.

    Every proxy adds the address that it was asked from at the right. So from there on, addresses are believed as long
    as a trusted proxy has written them; the first one that is no trusted proxy's is the sender's. Whatever stands left
    of it, the sender may have made up.
    """
    address = _parsed(remote)
    if address is None or not _is_in(address, trusted):
        return Peer(remote, tls)
    said = [each for line in forwarded_for for each in line.split(",")]
    sender = address
    for text in reversed(said):
        before = _parsed(text)
        if before is None:
            break
        sender = before
        if not _is_in(before, trusted):
            break
    # The last one is the trusted proxy's own.
    proto = forwarded_proto[-1].rpartition(",")[2].strip().lower() if forwarded_proto else ""
    return Peer(str(sender), tls or proto == "https")


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address.version == each.version and address in each for each in networks)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, with a port or not: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]:80`."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
