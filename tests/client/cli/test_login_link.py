"""`wigwag login-link`: a link that the server takes."""

import json
import urllib.request

from tests.client.cli.conftest import Wigwag


def opened(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        text: str = response.read().decode()
        return text


def test_the_link_is_printed_alone_and_shows_for_whom_it_signs_in(wigwag: Wigwag) -> None:
    ran = wigwag("login-link")
    assert ran.code == 0
    assert "Sign in as dev" in opened(ran.out.strip())
    assert "ten minutes" in ran.err


def test_as_json_it_says_when_it_runs_out(wigwag: Wigwag) -> None:
    made = json.loads(wigwag("login-link", "--json").out)
    assert made["url"].startswith("http://127.0.0.1:")
    assert made["expiresAt"] > 0
