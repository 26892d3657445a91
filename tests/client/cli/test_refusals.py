"""Every way in which a command can end badly: its exit code, and one message that says what to do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.client.cli.conftest import Wigwag
from tests.support.processes import ServerProcess
from wigwag.cli import admin_client


@contextmanager
def something_else(
    status: int, content_type: str = "text/html", body: bytes = b"<p>hello", **headers: str
) -> Iterator[str]:
    """Serve the same answer to everything, as a proxy or a stranger would. Gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("command", ["show", "kill", "revive", "delete"])
def test_an_unknown_flag_is_5_and_names_near_matches(wigwag: Wigwag, command: str) -> None:
    wigwag("set", "checkout_page", "--on")
    ran = wigwag(command, "chekout_page")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == "wigwag: There is no flag 'chekout_page' in production. Did you mean checkout_page?\n"


def test_an_unknown_flag_like_no_other_points_to_the_list(wigwag: Wigwag) -> None:
    ran = wigwag("kill", "zzzzzzzzzzzzzz")
    assert (ran.code, ran.err) == (
        5,
        "wigwag: There is no flag 'zzzzzzzzzzzzzz' in production. 'wigwag flags' lists what there is.\n",
    )


def test_a_refused_body_is_1_and_names_every_field(wigwag: Wigwag, key: str) -> None:
    ran = wigwag("set", key, "--rule", "plan equalz pro", "--from-file", "-", typed='{"enabeld": true}')
    assert ran.code == 1
    first, *fields = ran.err.splitlines()
    assert first == "wigwag: The flag was not written"
    assert any(line.startswith("  /enabeld: ") and "enabled" in line for line in fields)
    assert any(line.startswith("  /rules/0/operator: ") and "equals" in line for line in fields)
    assert wigwag("show", key).code == 5


def test_an_unknown_environment_is_1(wigwag: Wigwag) -> None:
    ran = wigwag("flags", "-e", "stagging")
    assert (ran.code, ran.err) == (1, "wigwag: There is no environment 'stagging'. There is: production.\n")


def test_a_wrong_token_is_4_and_says_where_it_came_from(wigwag: Wigwag, cli_server: ServerProcess) -> None:
    ran = wigwag("flags", "--token", "wrong")
    assert ran.code == 4
    assert f"(The token is from --token, the server is {cli_server.url}.)" in ran.err
    ran = wigwag("flags", "--token", cli_server.server_key)
    assert (ran.code, "It takes an admin token." in ran.err) == (4, True)


def test_a_server_that_is_not_there_is_3(bare_wigwag: Wigwag) -> None:
    ran = bare_wigwag("kill", "x", "--url", "http://127.0.0.1:1", "--token", "t")
    assert ran.code == 3
    assert ran.err == (
        "wigwag: no server can be reached at http://127.0.0.1:1 (--url): Connection refused. "
        "Is it running, and is the address right?\n"
    )
    assert bare_wigwag("flags", "--url", "http://no-such-host.invalid", "--token", "t").code == 3


def test_a_server_that_does_not_answer_is_3_and_the_change_is_said_to_be_uncertain(
    bare_wigwag: Wigwag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_client, "TIMEOUT_S", 0.3)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:  # listens, and never reads
        ran = bare_wigwag("kill", "x", "--url", f"http://127.0.0.1:{silent.server_port}", "--token", "t")
    assert ran.code == 3
    assert "no answer within" in ran.err
    assert "It is not certain whether the change was made. Doing it again does no harm." in ran.err


def test_a_proxy_without_its_server_is_3(bare_wigwag: Wigwag) -> None:
    with something_else(502) as url:
        ran = bare_wigwag("flags", "--url", url, "--token", "t")
    assert (ran.code, "HTTP 502 from a proxy" in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, "text/html", b"<p>not here"),
        (200, "text/html", b"<p>please log in"),
        (200, "application/json", b"[]"),
        (200, "application/json", b"{}"),
        (400, "application/problem+json", b"{"),
    ],
)
def test_what_is_no_wigwag_server_is_1(bare_wigwag: Wigwag, status: int, content_type: str, body: bytes) -> None:
    with something_else(status, content_type, body) as url:
        ran = bare_wigwag("flags", "--url", url, "--token", "t")
    assert (ran.code, "is not a wigwag server" in ran.err) == (1, True), ran


def test_a_redirect_is_not_followed_with_the_token(bare_wigwag: Wigwag) -> None:
    with something_else(301, Location="https://flags.example.com/") as url:
        ran = bare_wigwag("flags", "--url", url, "--token", "t")
    assert (ran.code, "redirects to https://flags.example.com/: give that server as --url" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "x"], "there is nothing to set"),
        (["set", "x", "--rollout", "110"], "'110' is not a percentage from 0 to 100"),
        (["set", "x", "--rollout", "nan"], "'nan' is not a percentage"),
        (["set", "x", "--rollout", "ten"], "'ten' is not a percentage"),
        (["set", "x", "--rule", "plan"], "'plan' is not 'ATTRIBUTE OPERATOR VALUE'"),
        (["set", "x", "--clear", "everything"], "'everything' is none of allow, deny, rules, tags"),
        (["show", "new checkout"], "begins with a letter or digit"),
        (["show", ".."], "begins with a letter or digit"),
        (["show"], "Missing argument 'KEY'"),
        (["kill"], "what is to be killed?"),
        (["kill", "x", "--raeson", "y"], "--reason"),
        (["kil", "x"], "Did you mean 'kill'?"),
        (["show", "a", "b"], "unexpected extra argument"),
        (["flags", "--url", "127.0.0.1:8420"], "is it http://127.0.0.1:8420?"),
        (["flags", "--url", "http://"], "is not a URL"),
        (["flags", "--token", "two words"], "--token holds characters that no token has"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(wigwag: Wigwag, words: list[str], said: str) -> None:
    ran = wigwag(*words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_damaged_dev_file_is_2_and_named(bare_wigwag: Wigwag, tmp_path: Path) -> None:
    (tmp_path / ".wigwag").mkdir()
    for text in ("{", "{}", "[]"):
        (tmp_path / ".wigwag/dev.json").write_text(text)
        ran = bare_wigwag("flags")
        assert (ran.code, ".wigwag/dev.json cannot be used" in ran.err) == (2, True)
