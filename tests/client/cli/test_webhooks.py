"""`wigwag webhooks …`."""

import json

from tests.client.cli.conftest import Wigwag


def test_a_webhook_is_made_listed_tested_and_deleted(wigwag: Wigwag, key: str) -> None:
    made = wigwag("webhooks", "create", "https://127-0-0-1.invalid/x", "--name", key, "--event", "kill", "--tag", "pay")
    assert made.code == 0
    assert made.out.startswith("whsec_")
    assert len(made.out.splitlines()) == 1
    listed = json.loads(wigwag("webhooks", "list", "--json").out)
    (webhook,) = [each for each in listed if each["name"] == key]
    assert (webhook["events"], webhook["tags"], webhook["template"]) == (["kill"], ["pay"], "json")
    table = wigwag("webhooks", "list").out
    assert key in table
    assert made.out.strip() not in table
    rotated = wigwag("webhooks", "rotate", webhook["id"], "--overlap", "0s").out
    assert rotated.startswith("whsec_")
    assert rotated != made.out
    tested = wigwag("webhooks", "test", webhook["id"])
    assert tested.code == 1
    assert "not delivered" in tested.err
    assert wigwag("webhooks", "retry", webhook["id"]).out.endswith(f"that wait for {webhook['id']} are being sent\n")
    assert wigwag("webhooks", "delete", webhook["id"]).code == 2, "nobody can be asked here"
    assert wigwag("webhooks", "delete", webhook["id"], "--yes").code == 0
    assert wigwag("webhooks", "test", webhook["id"]).code != 0


def test_a_url_that_leads_inside_is_refused(wigwag: Wigwag) -> None:
    refused = wigwag("webhooks", "create", "https://127.0.0.1/x")
    assert refused.code == 1
    assert "--webhook-allow-private" in refused.err
