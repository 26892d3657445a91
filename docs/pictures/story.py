"""What happened in the shop until the pictures were taken: twelve weeks, told to a real server by its own API."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from docs.pictures.apps import RAMPS, Apps
from docs.pictures.flags import FLAGS, PEOPLE, SEGMENTS, Flag
from docs.pictures.stand_in import Clock, Names
from tests.support.receiver import Receiver, receiving
from tests.support.server import ADMIN_TOKEN, Server, running
from tests.support.waiting import until_async

DAY_H = 24.0
# (hours ago, who, flag, what, comment)
EDITS: Sequence[tuple[float, str, str, Mapping[str, Any], str]] = (
    (52, "dev", "images_avif", {"rolloutPercentage": 90}, "nobody complained at 50 %"),
    (49, "ben", "feed_infinite", {"rolloutPercentage": 50}, "half, until the numbers are in"),
    (33, "dev", "android_predictive_back", {"rolloutPercentage": 40}, "crash rate is back to normal"),
    (29, "ben", "stock_live", {"rolloutPercentage": 60}, "the new replica takes it"),
    (28, "ann", "checkout_one_page", {"rolloutPercentage": 10}, "first customers"),
    (26.5, "ann", "checkout_one_page", {"rolloutPercentage": 25}, "conversion is up by 2 points"),
)
USES = (
    "payments/views.py",
    "payments/gateway.py",
    "search/query.py",
    "shop/home.py",
    "shop/cart.py",
    "jobs/nightly.py",
)
CLIENTS = (
    *(f"web-{n}" for n in range(1, 6)),
    *(f"api-{n}" for n in range(1, 4)),
    "search-1",
    "search-2",
    "jobs-1",
    "edge-1",
)


@dataclass(slots=True)
class Story:
    """A store, and who tells it what."""

    store: str
    clock: Clock
    names: Names
    apps: Apps = field(default_factory=Apps)
    tokens: dict[str, str] = field(default_factory=dict)
    key: str = "none yet"

    @asynccontextmanager
    async def at(self, hours: float) -> AsyncGenerator[Server]:
        """Run a server from so many hours ago on. A stage lasts by a clock that is not set while a server runs."""
        self.clock.set(hours)
        async with running(self.store, key=self.key, webhook_allow_private=True) as server:
            yield server

    async def do(self, server: Server, who: str, method: str, path: str, body: Any = None) -> Any:
        """Ask as somebody; what is refused ends the program."""
        token = self.tokens.get(who, ADMIN_TOKEN)
        answer = await server.ask(method, f"/admin/{path}", token=token, json=body)
        assert answer.status < 300, (method, path, answer)
        return answer.body

    async def pass_by(self, server: Server, since: float, until: float, every_min: float) -> None:
        """Let hours pass in which apps report."""
        steps = max(1, round((since - until) * 60 / every_min))
        for step in range(1, steps + 1):
            hours = since - (since - until) * step / steps
            self.clock.set(hours)
            await self.apps.report(server, every_min, (14.4 - hours) % 24)


async def _weeks(story: Story) -> None:
    """People, segments, and flags as they were made."""
    oldest = max(flag.days for flag in FLAGS) + 1
    async with story.at(oldest * DAY_H) as server:
        for name, role in PEOPLE.items():
            body = {"kind": "admin", "name": name, "role": role}
            story.tokens[name] = (await story.do(server, "", "POST", "keys", body))["key"]
        shop = {"kind": "server", "name": "shop", "environment": "production"}
        story.key = server.key = (await story.do(server, "olga", "POST", "keys", shop))["key"]
        await story.do(server, "olga", "POST", "keys", {"kind": "client", "name": "shop.example"})
        for key, segment in SEGMENTS.items():
            await story.do(server, "chloe", "POST", f"segments/{key}", segment)
        made = sorted(FLAGS, key=lambda flag: -flag.days)
        for flag in (each for each in made if each.days > 1):
            story.clock.set(flag.days * DAY_H)
            await story.do(server, flag.by, "POST", f"flags/{flag.key}", _body(flag))
            if flag.days > 40:
                await story.apps.report(server, 10, 12)


def _body(flag: Flag) -> dict[str, Any]:
    return {**flag.body, "owner": flag.owner, "description": flag.description}


async def _yesterday(story: Story) -> None:
    """Edits, code references, webhooks, staging, guards and schedules."""
    async with story.at(60) as server:
        uses = [
            {
                "flag": flag.key,
                "file": USES[index % len(USES)],
                "line": 12 + 7 * n,
                "call": "is_enabled",
                "function": "show",
            }
            for index, flag in enumerate(FLAGS)
            for n in range(0 if flag.key in ("old_cart_redirect", "csv_export_v1") else 1 + index % 3)
        ]
        code = {"repository": "shop/web", "commit": "4f2c9e1", "references": uses}
        await story.do(server, "dev", "PUT", "code-references", code)
        for hours, who, key, body, comment in EDITS:
            story.clock.set(hours)
            await story.do(server, who, "PATCH", f"flags/{key}", {**body, "comment": comment})
    async with story.at(25) as server:
        staging = {"name": "staging", "cloneFrom": "production", "description": "As production, a week ahead"}
        await story.do(server, "olga", "POST", "environments", staging)
        await story.do(
            server, "olga", "POST", "environments", {"name": "preview", "description": "One for each branch"}
        )
        for body in (
            {"url": "http://pager.example.com/v2/wigwag", "name": "pager", "events": ["kill", "revive", "guardrail"]},
            {"url": "http://chat.example.com/hooks/T02/B7", "name": "chat", "template": "slack"},
            {
                "url": "http://status.example.com/api/events",
                "name": "status page",
                "active": False,
                "tags": ["critical"],
            },
        ):
            await story.do(server, "olga", "POST", "webhooks", body)
        trace = next(flag for flag in FLAGS if flag.key == "trace_sampling_high")
        await story.do(server, "olga", "POST", f"flags/{trace.key}", _body(trace))
        guard = {"maxErrorRate": 0.03, "window": "10m", "comment": "the vendor was slow twice this month"}
        await story.do(server, "ben", "POST", "flags/fraud_model_2026/guard", guard)
        await story.do(server, "dev", "POST", "flags/images_avif/guard", {"maxP95Increase": 1, "dryRun": True})
        for body in (
            {"flag": "black_friday_2026", "what": "change", "patch": {"enabled": True}, "at": "2026-11-27T00:00"},
            {"flag": "loyalty_points", "what": "change", "patch": {"rolloutPercentage": 25}, "at": "2026-11-26T09:00"},
            {"flag": "maintenance_page", "what": "change", "patch": {"enabled": True}, "at": "2026-11-29T03:00"},
        ):
            await story.do(server, "ann", "POST", "schedules", {**body, "timeZone": "Europe/Berlin", "missed": "do"})


async def _today(story: Story) -> None:
    """Ramps, hour by hour, and what was killed."""
    plan: Sequence[tuple[float, float, str, str, str, Any]] = (
        (24, 19, "", "", "", None),
        (19, 15, "dev", "POST", "flags/recommendations_v4/rollout", RAMPS["recommendations_v4"]),
        (15, 11, "", "", "", None),
        (11, 10, "", "", "", None),
        (10, 8, "ben", "POST", "flags/refunds_async/rollout", RAMPS["refunds_async"]),
        (8, 7, "chloe", "POST", "flags/search_suggest_v2/rollout", RAMPS["search_suggest_v2"]),
        (7, 5, "", "", "", None),
        (5, 3, "", "", "", None),
        (3, 2.5, "on-call", "POST", "flags/checkout_express/kill", {"reason": "acquirer answers 502 to wallets"}),
        (
            2.5,
            1.2,
            "chloe",
            "POST",
            "flags/search_suggest_v2/rollout/pause",
            {"comment": "empty suggestions in Austria, asking the search people"},
        ),
        (1.2, 1, "ann", "POST", "flags/warehouse_routing_v2/rollout", RAMPS["warehouse_routing_v2"]),
    )
    for since, until, who, method, path, body in plan:
        # A little late for stages that are due, a little early for what begins: each then lasts as long as it should.
        async with story.at(since + (0.02 if path.endswith("/rollout") else -0.01)) as server:
            await _stages(story, server, since)
            if path:
                await story.do(server, who, method, path, body)
                if path.endswith("/rollout"):
                    await _begun(server, path)
            await story.pass_by(server, since, until + 0.03, 5)


async def _begun(server: Server, path: str) -> None:
    async def begun() -> bool:
        return bool((await server.ask("GET", f"/admin/{path}")).body["stage"] >= 0)

    await until_async(begun, f"{path} to begin")


# When each stage of a ramp is due, in hours before the end, and at which percentage the flag is then.
DUE: Sequence[tuple[float, str, float]] = (
    (15, "recommendations_v4", 5),
    (11, "recommendations_v4", 10),
    (8, "refunds_async", 50),
    (7, "recommendations_v4", 25),
    (7, "refunds_async", 0),
    (5, "search_suggest_v2", 8),
    (3, "recommendations_v4", 50),
)


async def _stages(story: Story, server: Server, hours: float) -> None:
    """Wait until ramps have made the steps that are due."""
    for due, key, share in DUE:
        if due == hours:
            await until_async(_reaches(story, server, key, share), f"{key} to be at {share} %")


def _reaches(story: Story, server: Server, key: str, share: float) -> Callable[[], Any]:
    async def there() -> bool:
        return bool((await story.do(server, "", "GET", f"flags/{key}"))["rolloutPercentage"] == share)

    return there


async def _last_hour(story: Story, server: Server, chat: Receiver) -> None:
    """The last hour, by the minute."""
    await story.pass_by(server, 1, 0.7, 1)
    until = {"reason": "blank on iPhones with iOS 19.1", "until": "2026-11-24T18:00:00Z"}
    await story.do(server, "chloe", "POST", "flags/promo_banner_video/kill", until)
    await story.pass_by(server, 0.7, 0.13, 1)
    chat.answer = lambda _: 503
    kill = {"reason": "p95 is over 4 s since the index moved"}
    await story.do(server, "on-call", "POST", "flags/search_semantic/kill", kill)
    await story.pass_by(server, 0.13, 0.06, 1)
    note = {"rolloutPercentage": 30, "comment": "spam is down by a third"}
    await story.do(server, "chloe", "PATCH", "flags/reviews_moderation_ml", {**note, "rolloutPercentage": 45})
    await story.do(server, "olga", "PATCH", "environments/staging", {"approvals": True})
    for who, key, body in (
        ("ben", "gift_cards", {"enabled": False, "comment": "not before the new terms are out"}),
        ("dev", "images_avif", {"rolloutPercentage": 100, "comment": "same as production next week"}),
    ):
        await story.do(server, who, "PATCH", f"flags/{key}?environment=staging", body)
    await story.pass_by(server, 0.06, 0, 1)


@asynccontextmanager
async def told(store: str, clock: Clock, names: Names) -> AsyncGenerator[tuple[Story, Server]]:
    """Run the server after all of it, with a dozen clients connected."""
    story = Story(store, clock, names)
    async with AsyncExitStack() as stack:
        hooks = [await stack.enter_async_context(receiving()) for _ in range(3)]
        for name, hook in zip(("pager", "chat", "status"), hooks, strict=True):
            names.lead(f"{name}.example.com", int(hook.url.rsplit(":", 1)[1].split("/")[0]))
        await _weeks(story)
        await _yesterday(story)
        await _today(story)
        async with story.at(1) as server:
            await _last_hour(story, server, hooks[1])
        server = await stack.enter_async_context(story.at(0))
        for host in CLIENTS:
            names.host = host
            await stack.enter_async_context(server.client(label=host.partition("-")[0]))
        yield story, server
