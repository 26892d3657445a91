"""One server process for all tests of the command line, and the command line itself, run in the test's process."""

import io
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.processes import ServerProcess, server_process
from wigwag.cli.app import app

COUNT = itertools.count()


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Wigwag = Callable[..., Ran]


@pytest.fixture(scope="session")
def cli_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose folder has a `.wigwag/dev.json`."""
    with server_process(tmp_path_factory.mktemp("cli_server")) as server:
        yield server


@pytest.fixture
def bare_wigwag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Wigwag:
    """Run `wigwag` with these words, in the folder and environment of the test; `typed` is its standard input."""

    def run(*words: str, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app(list(words), prog_name="wigwag")
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def wigwag(monkeypatch: pytest.MonkeyPatch, bare_wigwag: Wigwag, cli_server: ServerProcess) -> Wigwag:
    """Run `wigwag` in the server's folder, where it finds the server."""
    monkeypatch.chdir(cli_server.folder)
    return bare_wigwag


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"flag{next(COUNT)}"
