"""`wigwag keys …`."""

import json

from tests.client.cli.conftest import Wigwag


def made(wigwag: Wigwag, *words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(wigwag("keys", "create", *words, "--json").out)
    return found


def test_a_token_is_the_only_result_so_that_a_script_can_take_it(wigwag: Wigwag, key: str) -> None:
    ran = wigwag("keys", "create", "server", "--name", key)
    assert ran.code == 0
    assert ran.out.startswith("ww_server_")
    assert len(ran.out.splitlines()) == 1
    assert f"({key}) for production. It is shown this once:" in ran.err
    listed = wigwag("keys", "list").out
    assert key in listed
    assert ran.out.strip() not in listed


def test_an_admin_token_may_do_what_its_role_and_limits_say(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    wigwag("set", f"{key}.other", "--on")
    token = str(made(wigwag, "admin", "--name", f"op-{key}", "--role", "operator", "--flag", key)["key"])
    assert wigwag("kill", key, "--token", token).code == 0
    assert wigwag("kill", f"{key}.other", "--token", token).code == 4
    assert wigwag("revive", key, "--token", token).code == 4


def test_a_key_is_rotated_and_revoked(wigwag: Wigwag, key: str) -> None:
    old = made(wigwag, "admin", "--name", f"v-{key}", "--role", "viewer", "--expires", "90d")
    new = json.loads(wigwag("keys", "rotate", str(old["id"]), "--overlap", "0s", "--json").out)
    assert wigwag("flags", "--token", str(old["key"])).code == 4
    assert wigwag("flags", "--token", str(new["key"])).code == 0
    ran = wigwag("keys", "revoke", new["id"])
    assert (ran.code, f"wigwag keys revoke {new['id']} --yes" in ran.err) == (2, True)
    assert wigwag("keys", "revoke", new["id"], "--yes").out == f"revoked {new['id']}\n"
    assert wigwag("flags", "--token", str(new["key"])).code == 4


def test_rotate_says_how_long_the_old_one_goes_on(wigwag: Wigwag, key: str) -> None:
    old = made(wigwag, "server", "--name", key)
    ran = wigwag("keys", "rotate", str(old["id"]))
    assert f"in place of {old['id']}, which goes on until " in ran.err
    assert ran.out.startswith("ww_server_")


def test_what_cannot_be_a_key_is_refused(wigwag: Wigwag) -> None:
    ran = wigwag("keys", "create", "janitor")
    assert (ran.code, "/kind: must be one of" in ran.err) == (1, True)
    assert wigwag("keys", "revoke", "no-such-key", "--yes").code == 1
