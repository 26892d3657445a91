"""Killing without any server: the variable and the file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag import Reason
from wigwag.local_kills import parse_kills


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        await made.put("checkout", enabled=True)
        await made.put("search", enabled=True)
        yield made


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("checkout,search", {"checkout", "search"}),
        (" checkout \n\nsearch # too slow, see #12\n", {"checkout", "search"}),
        ("# nothing\n", set()),
        ("", set()),
    ],
)
def test_keys_are_separated_by_commas_blanks_and_lines(text: str, keys: set[str]) -> None:
    assert parse_kills(text) == keys


async def test_the_variable_kills_in_this_process_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIGWAG_KILL", "checkout, unheard-of")
    async with server.client() as flags:
        assert not flags.is_enabled("checkout")
        assert flags.explain("checkout").reason is Reason.KILLED
        assert flags.is_enabled("search")
        await server.put("checkout", enabled=True, description="edited")
        await until(lambda: flags.status.revision == 3, "the edit")
        assert not flags.is_enabled("checkout")
    monkeypatch.delenv("WIGWAG_KILL")
    async with server.client() as flags:
        assert flags.is_enabled("checkout")


async def test_the_kill_file_kills_and_revives_while_it_changes_and_pierces_pins(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "kills"
    async with server.client(kill_file=file, kill_file_every_s=0.02) as flags:
        assert flags.is_enabled("checkout")
        pinned = flags.bind(user_id="u1")
        file.write_text("checkout  # on fire\n")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        assert not pinned.is_enabled("checkout")
        assert pinned.is_enabled("search")
        file.unlink()
        await until(lambda: flags.is_enabled("checkout"), "the revival")


async def test_a_kill_file_is_honoured_from_the_first_moment_also_without_a_server(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "kills"
    file.write_text("checkout")
    async with server.client(kill_file=file) as flags:
        assert not flags.is_enabled("checkout")


async def test_a_kill_file_that_cannot_be_read_leaves_the_kills_as_they_are(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "kills"
    file.write_text("checkout")
    async with server.client(kill_file=file, kill_file_every_s=0.02) as flags:
        file.write_bytes(b"\xff\xfe")
        await until(lambda: "cannot read the kill file" in caplog.text, "the warning")
        assert not flags.is_enabled("checkout")
