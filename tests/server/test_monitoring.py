"""The dashboard, the alert rules and the page on monitoring name what a running server tells, and nothing else."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import Server
from tests.support.waiting import until_async

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "deploy/prometheus/wigwag.rules.yml"
DASHBOARD = ROOT / "deploy/grafana/wigwag.json"
NAME = re.compile(r"\bwigwag_[a-z_]+\b")
SELECTOR = re.compile(r"\b(wigwag_[a-z_]+)\{([^}]*)\}")
GROUPED = re.compile(r"by \(([^)]*)\)")
OF_PROMETHEUS = {"instance", "job", "le"}


async def scraped(server: Server, token: str | None = None) -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with server.session.get(server.url + "/metrics", headers=headers) as response:
        assert response.status == 200
        return await response.text()


def labels_of(text: str) -> dict[str, set[str]]:
    """Return the labels of each metric, by the name of its samples."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture
async def told(embedded: Server) -> dict[str, set[str]]:
    """What a server tells on which everything has happened, by metric."""
    await embedded.put("checkout", enabled=True)
    async with embedded.client(label="shop") as flags:
        flags.is_enabled("checkout", user_id="1")
        await embedded.kill("checkout")
    viewer = await embedded.ask("POST", "/admin/keys", json={"kind": "admin", "role": "viewer"})

    async def counted() -> bool:
        return "wigwag_flag_evaluations_total{" in await scraped(embedded, viewer.body["key"])

    await until_async(counted, "the counts, which the client sends when it closes")
    return labels_of(await scraped(embedded, viewer.body["key"]))


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    rules = yaml.safe_load(RULES.read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    shown += [each["expr"] for each in dashboard["annotations"]["list"]]
    shown += [each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    return shown + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


async def test_every_metric_and_label_that_is_shown_or_alerted_on_exists(told: dict[str, set[str]]) -> None:
    for expression in expressions():
        names = NAME.findall(expression)
        assert names or "up{" in expression, expression
        assert set(names) <= told.keys(), expression
        for name, selector in SELECTOR.findall(expression):
            assert set(re.findall(r"(\w+)\s*=", selector)) <= told[name], expression
        for group in GROUPED.findall(expression):
            wanted = {label.strip() for label in group.split(",")} - OF_PROMETHEUS
            assert wanted <= set().union(*(told[name] for name in names)), expression


async def test_every_metric_is_documented_and_no_other(told: dict[str, set[str]]) -> None:
    page = (ROOT / "docs/monitoring.md").read_text()
    documented = set(re.findall(r"^\| `(wigwag_[a-z_]+)`", page, re.MULTILINE))
    there = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in told if name.startswith("wigwag_")}
    assert documented == there
    alerts = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert re.findall(r"^\| `(Wigwag\w+)`", page, re.MULTILINE) == alerts


async def test_names_follow_the_conventions_of_prometheus(embedded: Server) -> None:
    for family in text_string_to_metric_families(await scraped(embedded)):
        assert family.documentation, family.name
        if not family.name.startswith("wigwag_"):
            continue
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        assert not re.search(r"_(ms|milliseconds|minutes|kb|percent)$", family.name)
        totals = [sample.name for sample in family.samples if sample.name.endswith("_total")]
        assert bool(totals) == (family.type == "counter") or not family.samples, family.name


async def test_flags_are_named_for_admin_tokens_only(embedded: Server) -> None:
    await embedded.put("secret-plan", enabled=True)
    await embedded.kill("secret-plan")
    assert "secret-plan" not in await scraped(embedded)
    assert 'wigwag_kills{environment="production"} 1.0' in await scraped(embedded)
    viewer = await embedded.ask("POST", "/admin/keys", json={"kind": "admin", "role": "viewer"})
    text = await scraped(embedded, viewer.body["key"])
    assert 'wigwag_flag_killed{environment="production",flag="secret-plan"} 1.0' in text
    assert (await embedded.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
    limited: Any = {"kind": "admin", "role": "viewer", "environments": ["staging"]}
    elsewhere = await embedded.ask("POST", "/admin/keys", json=limited)
    assert "secret-plan" not in await scraped(embedded, elsewhere.body["key"])
    for token, status in (("nonsense", 401), (embedded.key, 403)):
        headers = {"Authorization": f"Bearer {token}"}
        async with embedded.session.get(embedded.url + "/metrics", headers=headers) as response:
            assert response.status == status
    assert 'wigwag_failed_authentications_total{outcome="unauthorized"} 1.0' in await scraped(embedded)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on this machine")
def test_promtool_takes_the_rules() -> None:
    checked = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_says_how_bad_it_is_and_what_it_means() -> None:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert rule["annotations"]["summary"]
