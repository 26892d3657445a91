"""Who sent a request: what trusted proxies say of it counts, and what anybody else says does not."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.server import Server, running
from wigwag_server.auth.peer import Peer, peer_of
from wigwag_server.settings import BadSetting, Limits, parse_proxies

PROXIES = parse_proxies("10.0.0.0/8, 2001:db8:ffff::/48 127.0.0.1")


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.5, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.5", "198.51.100.7, 10.1.1.1"], "198.51.100.7"),
        ("10.0.0.1", ["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
        ("10.0.0.1", ["198.51.100.7, unknown, 10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("2001:db8:ffff::1", ["2001:db8::7"], "2001:db8::7"),
        ("", ["198.51.100.7"], ""),
        ("10.0.0.1", [" ", ""], "10.0.0.1"),
    ],
)
def test_the_sender_is_the_last_address_that_is_no_trusted_proxy(
    remote: str, forwarded_for: list[str], address: str
) -> None:
    assert peer_of(remote, forwarded_for, (), trusted=PROXIES, tls=False).address == address


@given(st.lists(st.sampled_from(["10.1.1.1", "203.0.113.5", "rubbish", "2001:db8::7", ""]), max_size=6), st.data())
def test_whatever_a_sender_makes_up_changes_nothing(made_up: list[str], data: st.DataObject) -> None:
    behind = data.draw(st.lists(st.sampled_from(["10.1.1.1", "127.0.0.1", "2001:db8:ffff::9"]), max_size=3))
    line = ", ".join([*made_up, "198.51.100.7", *behind])
    assert peer_of("10.0.0.1", [line], (), trusted=PROXIES, tls=False) == Peer("198.51.100.7", tls=False)
    assert peer_of("192.0.2.1", [line], ["https"], trusted=PROXIES, tls=False) == Peer("192.0.2.1", tls=False)


@pytest.mark.parametrize(
    ("proto", "tls"), [([], False), (["https"], True), (["HTTPS"], True), (["https, http"], False), (["http"], False)]
)
def test_tls_counts_as_the_trusted_proxy_says(proto: list[str], tls: bool) -> None:
    assert peer_of("10.0.0.1", (), proto, trusted=PROXIES, tls=False).tls is tls
    assert peer_of("10.0.0.1", (), proto, trusted=PROXIES, tls=True).tls


def test_the_setting_takes_addresses_and_networks_and_says_what_is_none() -> None:
    assert parse_proxies("") == ()
    assert parse_proxies("10.0.0.0/8,::1") == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    for wrong in ("10.0.0.0/33", "10.0.0.1/8", "proxy.example", "*"):
        with pytest.raises(BadSetting, match="--trusted-proxies"):
            parse_proxies(wrong)


async def statuses(server: Server, *addresses: str) -> list[int]:
    """Return the answers to a wrong key from each of these addresses, three times each."""
    headers = [{"X-Forwarded-For": address} for address in addresses for _ in range(3)]
    return [(await server.ask("GET", "/admin/flags", token="wrong", headers=each)).status for each in headers]


async def test_guesses_behind_a_trusted_proxy_are_counted_for_each_sender_and_else_for_the_proxy(
    tmp_path: Path,
) -> None:
    limits = Limits(failed_keys=2, failed_keys_per_s=0.001)
    async with running(
        f"sqlite:{tmp_path / 'a.db'}", limits=limits, trusted_proxies=parse_proxies("127.0.0.0/8")
    ) as server:
        assert await statuses(server, "198.51.100.7", "198.51.100.8") == [401, 401, 429, 401, 401, 429]
        made = await server.ask("POST", "/admin/flags/checkout", json={}, headers={"X-Forwarded-For": "198.51.100.9"})
        assert made.status == 201
        entry = (await server.ask("GET", "/admin/audit")).body["entries"][0]
        assert entry["address"] == "198.51.100.9"
    async with running(f"sqlite:{tmp_path / 'b.db'}", limits=limits) as server:
        assert await statuses(server, "198.51.100.7", "198.51.100.8") == [401, 401, 429, 429, 429, 429]
