"""To which addresses a webhook may lead: not into the network that the server stands in.

The check is made on the address that the connection then goes to. A look-up of its own, before the request, would be
worth nothing: the name may lead somewhere else a moment later.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

NAT64 = ip_network("64:ff9b::/96")
# Not of the internet at large either, whatever the release of Python makes of them: for protocols between a host and
# its network, for relays that there are no more, once for sites, and for examples.
INSIDE = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20")))


class Forbidden(OSError):
    """The address is not one that webhooks may be sent to."""


def is_public(text: str) -> bool:
    """Say whether an address is one of the internet at large."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _embedded(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    if any(address in network for network in INSIDE if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def literal(host: str) -> str | None:
    """Return the address that a host is written as, None where it is a name."""
    try:
        return str(ip_address(host.removeprefix("[").removesuffix("]").partition("%")[0]))
    except ValueError:
        return None


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only. Numbers in unusual forms (`0x7f.1`) come through here as well."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return where to connect to. Raises OSError; Forbidden where any of the addresses is not public."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise Forbidden(f"{host} leads to a private address; --webhook-allow-private permits that")
        return found

    async def close(self) -> None:
        """Release the resolver."""
        await self._resolver.close()


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
