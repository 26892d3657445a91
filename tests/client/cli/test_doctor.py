"""`wigwag doctor` against real servers, a proxy that really buffers, and a disk that cannot be written to."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.cli.conftest import Wigwag
from tests.support.nginx import nginx_before, running_nginx
from tests.support.processes import ServerProcess
from tests.support.redis_server import free_port
from tests.support.server import Server, running

# nginx gathers what it compresses until there is enough of it, unless the server's wish not to buffer is heard.
HOLDS_BACK = "gzip on; gzip_types *; gzip_min_length 0; proxy_ignore_headers X-Accel-Buffering;"
COMPRESSES = "gzip on; gzip_types *; gzip_min_length 0;"
CUTS_OFF = "proxy_read_timeout 1s;"  # before the second heartbeat


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose second heartbeat need not be waited for for long."""
    async with running(f"sqlite:{tmp_path / 'wigwag.db'}", heartbeat_s=1.5) as server:
        yield server


def proxied(port: int, server: Server, settings: str) -> str:
    return (
        f"server {{ listen 127.0.0.1:{port}; "
        f"location / {{ proxy_pass {server.url}; proxy_http_version 1.1; {settings} }} }}"
    )


def diagnosed(wigwag: Wigwag, *words: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run the doctor, and return its exit code and what it found, by the names of the checks."""
    ran = wigwag("doctor", "--json", "--timeout", "1s", *words)
    answer: dict[str, Any] = json.loads(ran.out)
    assert answer["ok"] is (ran.code == 0)
    return ran.code, {each["check"]: (each["grade"], each["what"]) for each in answer["findings"]}


async def test_all_is_well_between_an_app_and_a_server_that_run(bare_wigwag: Wigwag, server: Server) -> None:
    ran = await asyncio.to_thread(bare_wigwag, "doctor", "--url", server.url, "--key", server.key)
    assert ran.code == 0, ran.out
    assert "good for production" in ran.out
    assert ran.out.rstrip().endswith("All well: 8 checks.")


async def test_the_shipped_nginx_configuration_lets_streams_through(
    bare_wigwag: Wigwag, server: Server, tmp_path: Path
) -> None:
    async with nginx_before(tmp_path / "nginx", [server.url.removeprefix("http://")]) as url:
        code, found = await asyncio.to_thread(diagnosed, bare_wigwag, "--url", url, "--key", server.key)
    assert code == 0, found
    assert {grade for grade, _ in found.values()} == {"ok"}


@pytest.mark.parametrize(
    ("settings", "code", "check", "words"),
    [
        (HOLDS_BACK, 1, "buffering", "holds the stream back"),
        (COMPRESSES, 0, "compression", "gzip"),
        (CUTS_OFF, 1, "heartbeats", "cut off in the middle"),
    ],
)
async def test_a_proxy_that_does_harm_to_streams_is_found_out(
    bare_wigwag: Wigwag, server: Server, tmp_path: Path, settings: str, code: int, check: str, words: str
) -> None:
    port = free_port()
    async with running_nginx(tmp_path / "nginx", proxied(port, server, settings), port) as url:
        ended, found = await asyncio.to_thread(diagnosed, bare_wigwag, "--url", url, "--key", server.key)
    assert ended == code, found
    assert words in found[check][1]
    assert {name for name, (grade, _) in found.items() if grade != "ok"} == {check}


def test_a_key_that_is_not_valid_and_one_of_another_kind_are_told_apart_from_a_server_that_is_away(
    wigwag: Wigwag, cli_server: ServerProcess
) -> None:
    code, found = diagnosed(wigwag, "--key", "ww_server_wrong")
    assert (code, found["key"][0], found["server"][0]) == (1, "wrong", "ok")
    assert "HTTP 401" in found["key"][1]
    assert "HTTP 403" in diagnosed(wigwag, "--key", cli_server.client_key)[1]["key"][1]
    code, found = diagnosed(wigwag, "--url", f"http://127.0.0.1:{free_port()}", "--key", cli_server.server_key)
    assert (code, set(found)) == (1, {"server", "cache"})
    assert "Connection refused" in found["server"][1]


def test_a_cache_that_cannot_be_written_to_is_wrong(wigwag: Wigwag, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, found = diagnosed(wigwag, "--key", "ww_server_wrong", "--cache-dir", str(file / "cache"))
    assert (code, found["cache"][0]) == (1, "wrong")
    assert "Not a directory" in found["cache"][1]


def test_kills_and_proxies_of_this_machine_are_not_forgotten(
    wigwag: Wigwag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_file = tmp_path / "kills"
    kill_file.write_text("search  # slow\n")
    monkeypatch.setenv("WIGWAG_KILL", "checkout, basket")
    monkeypatch.setenv("WIGWAG_KILL_FILE", str(kill_file))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    ran = wigwag("doctor", "--key", "ww_server_wrong")
    assert "1 wrong, 3 doubtful" in ran.out
    for words in ("basket, checkout", "this machine: search", "HTTPS_PROXY is set"):
        assert words in " ".join(ran.out.split()), ran.out
    kill_file.write_bytes(b"\xff")
    assert diagnosed(wigwag, "--key", "ww_server_wrong")[1]["local kills"][0] == "wrong"


def test_without_a_key_nothing_is_asked(bare_wigwag: Wigwag) -> None:
    ran = bare_wigwag("doctor", "--url", "http://127.0.0.1:1")
    assert ran.code == 2
    assert "there is no server key" in ran.err
