"""Several hosts on one machine: network namespaces with addresses of their own, and links that do as they are told.

Each host has a TUN device, whose packets come to a switch in the test's process. That passes them on, late, now and
then, or not at all, in each direction by itself; so nothing in the kernel has to be able to do that. Needs root.
"""

import asyncio
import fcntl
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

NETWORK = "198.18.77"  # RFC 2544: for tests of networks, and never routed
TUN = Path("/dev/net/tun")
SET_INTERFACE = 0x400454CA  # TUNSETIFF
TUN_WITHOUT_HEADER = 0x0001 | 0x1000  # IFF_TUN | IFF_NO_PI
LARGEST_PACKET = 65536


@dataclass(frozen=True, slots=True)
class Link:
    """What happens to packets in one direction."""

    cut: bool = False
    loss: float = 0.0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `here` is that of the test itself, which has no namespace of its own."""

    name: str
    address: str
    namespace: str | None
    device: int

    def words(self, *words: str) -> tuple[str, ...]:
        """Return the words of a command that is run on this host."""
        return ("ip", "netns", "exec", self.namespace, *words) if self.namespace else words


def why_not() -> str:
    """Say what keeps this machine from having several hosts; empty where nothing does."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if shutil.which("ip") is None:
        return "there is no ip on this machine (Debian: apt-get install iproute2)"
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return f"{TUN} cannot be opened: {error.strerror}"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return f"network namespaces are not allowed: {done.stderr.strip()}" if done.returncode else ""


class Switch:
    """Passes packets on between the hosts. Links are named by their two ends, in the direction of the packets."""

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self.hosts = hosts
        self.passed = self.lost = 0
        self._links: dict[tuple[bytes, bytes], Link] = {}
        self._devices = {_packed(host.address): host.device for host in hosts.values()}
        self._rng = random.Random(1)

    def between(self, one: str, other: str, **changes: Any) -> None:
        """Change a link in both directions."""
        self.towards(one, other, **changes)
        self.towards(other, one, **changes)

    def towards(self, source: str, target: str, **changes: Any) -> None:
        """Change a link in the direction from `source` to `target`."""
        ends = _packed(self.hosts[source].address), _packed(self.hosts[target].address)
        self._links[ends] = replace(self._links.get(ends, Link()), **changes)

    def part(self, one: set[str], other: set[str], *, cut: bool = True) -> None:
        """Cut everything between two groups of hosts (or mend it)."""
        for each in one:
            for far in other:
                self.between(each, far, cut=cut)

    def everywhere(self, **changes: Any) -> None:
        """Change all links."""
        for source in self.hosts:
            for target in self.hosts:
                if source != target:
                    self.towards(source, target, **changes)

    def start(self) -> None:
        """Begin, on the running event loop."""
        loop = asyncio.get_running_loop()
        for host in self.hosts.values():
            loop.add_reader(host.device, self._read, host.device)

    def stop(self) -> None:
        """End it."""
        loop = asyncio.get_running_loop()
        for host in self.hosts.values():
            loop.remove_reader(host.device)

    def _read(self, device: int) -> None:
        with suppress(BlockingIOError):
            while True:
                self._pass(os.read(device, LARGEST_PACKET))

    def _pass(self, packet: bytes) -> None:
        if packet[0] >> 4 != 4:
            return
        source, target = packet[12:16], packet[16:20]
        device = self._devices.get(target)
        link = self._links.get((source, target), Link())
        if device is None or link.cut or self._rng.random() < link.loss:
            self.lost += 1
        elif link.delay_s:
            asyncio.get_running_loop().call_later(link.delay_s, self._deliver, device, packet)
        else:
            self._deliver(device, packet)

    def _deliver(self, device: int, packet: bytes) -> None:
        self.passed += 1
        with suppress(OSError):  # a host that takes no more loses it, as a full queue does
            os.write(device, packet)


@contextmanager
def hosts(*names: str) -> Iterator[Switch]:
    """Make hosts of these names beside `here`, and remove them at the end of the context."""
    if why := why_not():
        pytest.skip(why)
    made: dict[str, Host] = {}
    try:
        for number, name in enumerate(("here", *names), start=1):
            made[name] = _make(name, number)
        yield Switch(made)
    finally:
        for host in made.values():
            os.close(host.device)  # takes the device away
            if host.namespace is not None:
                _ip("netns", "del", host.namespace)


def _make(name: str, number: int) -> Host:
    namespace = None if name == "here" else f"wigwag-{os.getpid()}-{name}"
    interface = f"ww{os.getpid() % 100_000}-{number}"
    device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, SET_INTERFACE, struct.pack("16sH22x", interface.encode(), TUN_WITHOUT_HEADER))
    inside: tuple[str, ...] = ()
    if namespace is not None:
        _ip("netns", "add", namespace)
        _ip("link", "set", "dev", interface, "netns", namespace)
        inside = ("-n", namespace)
        _ip(*inside, "link", "set", "dev", "lo", "up")
    _ip(*inside, "address", "add", f"{NETWORK}.{number}/24", "dev", interface)
    _ip(*inside, "link", "set", "dev", interface, "up")
    return Host(name, f"{NETWORK}.{number}", namespace, device)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))
