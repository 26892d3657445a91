"""The flags, segments and people of a shop that does not exist."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Name and role. Each has a token of their own, so that kills and the history say who it was.
PEOPLE = {"ann": "editor", "ben": "editor", "chloe": "editor", "dev": "editor", "on-call": "operator", "olga": "admin"}

SEGMENTS: Mapping[str, Mapping[str, Any]] = {
    "staff": {
        "description": "Everybody who works here",
        "rules": [{"attribute": "email", "operator": "endsWith", "value": "@shop.example"}],
        "include": ["u_10021", "u_10044"],
    },
    "beta": {"description": "Asked for new things first", "include": [f"u_{number}" for number in range(20400, 20436)]},
    "nordics": {
        "description": "Denmark, Finland, Iceland, Norway, Sweden",
        "rules": [{"attribute": "country", "operator": "in", "value": ["DK", "FI", "IS", "NO", "SE"]}],
    },
    "trade": {
        "description": "Companies that buy on account",
        "rules": [{"attribute": "plan", "operator": "in", "value": ["trade", "trade_plus"]}],
        "exclude": ["u_31337"],
    },
}


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: who made it, how many days ago, and how often apps ask for it in a minute."""

    key: str
    days: float
    by: str
    owner: str
    description: str
    body: Mapping[str, Any] = field(default_factory=dict)
    asked: int = 0
    on: float = 1.0


def _in(attribute: str, *values: str) -> list[dict[str, Any]]:
    return [{"attribute": attribute, "operator": "in", "value": list(values)}]


def _segment(name: str) -> list[dict[str, Any]]:
    return [{"attribute": "userId", "operator": "inSegment", "value": name}]


def _split(*arms: tuple[str, int, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "weight": weight, "value": value} for name, weight, value in arms]


ON: Mapping[str, Any] = {"enabled": True}
STAYS: Mapping[str, Any] = {"enabled": True, "kind": "ops"}
CHECKOUT = {
    **ON,
    "rolloutPercentage": 25,
    "tags": ["web", "critical"],
    "rules": [
        {"attribute": "country", "operator": "notIn", "value": ["BR", "TR"]},
        {"attribute": "appVersion", "operator": "semverGreaterThan", "value": "5.12.0"},
    ],
    "overrides": [{"name": "staff", "rules": _segment("staff"), "rolloutPercentage": 100}],
    "requires": [{"flag": "payments_v3"}],
    "whitelist": ["u_10021"],
}
RANKING = _split(("control", 50, "bm25"), ("semantic", 25, "minilm"), ("hybrid", 25, {"bm25": 0.6, "minilm": 0.4}))
HEADLINE = _split(("short", 1, "Delivered tomorrow"), ("long", 1, "Order by six, at your door tomorrow"))
WALK_IN = {**ON, "rolloutPercentage": 0}

FLAGS = (
    Flag("payments_v3", 58, "ann", "payments", "All payments by the new gateway", {**ON, "tags": ["critical"]}, 940),
    Flag("checkout_one_page", 21, "ann", "payments", "Address, delivery and payment on one page", CHECKOUT, 610, 0.24),
    Flag("checkout_express", 33, "ben", "payments", "Pay with one tap where a wallet is set up", ON, 480, 0.0),
    Flag("pay_by_invoice", 40, "ann", "payments", "Invoice at 30 days", {**ON, "rules": _segment("trade")}, 85, 0.4),
    Flag("refunds_async", 18, "ben", "payments", "Refunds go through the queue", WALK_IN, 44, 0.5),
    Flag("card_retry", 55, "ann", "payments", "Try another acquirer once when a card fails", STAYS, 120),
    Flag(
        "wallet_topup", 4, "ben", "payments", "Top up the wallet by bank transfer", {"tags": ["ios", "android"]}, 12, 0
    ),
    Flag("payments_readonly", 57, "olga", "payments", "Show balances, move no money", {"kind": "ops"}, 930, 0.0),
    Flag("vat_by_destination", 49, "ann", "payments", "VAT of where it is sent to", ON, 700),
    Flag("three_d_secure_2", 52, "ben", "payments", "3-D Secure 2 for cards of the EEA", ON, 310),
    Flag("search_semantic", 16, "chloe", "search", "Find by meaning beside words", ON, 820, 0.0),
    Flag(
        "search_ranking",
        12,
        "chloe",
        "search",
        "Which ranking sells more",
        {**ON, "kind": "experiment", "variants": RANKING, "tags": ["ab"]},
        800,
        0.98,
    ),
    Flag("search_suggest_v2", 9, "chloe", "search", "Suggestions from what others bought", WALK_IN, 530, 0.08),
    Flag("search_facets_lazy", 30, "dev", "search", "Count facets when they are opened", ON, 790),
    Flag("search_typo_tolerance", 56, "chloe", "search", "One wrong letter in five", ON, 805),
    Flag("search_shadow_index", 3, "dev", "search", "Write to both indexes", {**STAYS, "tags": ["infra"]}, 60),
    Flag(
        "search_fallback_sql", 54, "chloe", "search", "Search in the database when the index is away", {"kind": "ops"}
    ),
    Flag("recommendations_v4", 14, "dev", "discovery", "The model of October", WALK_IN, 660, 0.1),
    Flag("recommendations_home", 44, "dev", "discovery", "A row of them on the home page", ON, 350),
    Flag(
        "similar_by_image",
        6,
        "dev",
        "discovery",
        "Similar things by their picture",
        {**ON, "rules": _segment("beta")},
        90,
        0.03,
    ),
    Flag("recently_seen", 50, "dev", "discovery", "What somebody looked at last", ON, 410),
    Flag("feed_infinite", 26, "ben", "discovery", "Scroll on without pages", {**ON, "rolloutPercentage": 50}, 280, 0.5),
    Flag("promo_banner_video", 8, "chloe", "growth", "Video in the banner of the home page", ON, 260, 0.0),
    Flag(
        "delivery_headline",
        10,
        "chloe",
        "growth",
        "Which words promise delivery best",
        {**ON, "kind": "experiment", "variants": HEADLINE, "tags": ["ab", "web"]},
        340,
    ),
    Flag(
        "referral_bonus",
        36,
        "ben",
        "growth",
        "Ten euros for a friend",
        {**ON, "rules": _in("country", "DE", "AT", "CH")},
        55,
        0.6,
    ),
    Flag("newsletter_popup", 47, "chloe", "growth", "Ask once a month", {"tags": ["web"]}, 30, 0.0),
    Flag(
        "black_friday_2026",
        5,
        "ann",
        "growth",
        "Prices, banner and countdown",
        {"tags": ["web", "ios", "android"]},
        400,
        0,
    ),
    Flag(
        "loyalty_points",
        2,
        "ben",
        "growth",
        "Points for every order",
        {**ON, "rolloutPercentage": 5, "tags": ["critical"]},
        210,
        0.05,
    ),
    Flag("gift_cards", 41, "ben", "growth", "Gift cards in the cart", ON, 70),
    Flag(
        "onboarding_short",
        17,
        "chloe",
        "growth",
        "Three screens in place of seven",
        {**ON, "rolloutPercentage": 75},
        45,
        0.74,
    ),
    Flag(
        "ios_new_tabs",
        11,
        "dev",
        "mobile",
        "Tabs at the bottom",
        {**ON, "rules": _in("os", "ios"), "tags": ["ios"]},
        190,
        0.45,
    ),
    Flag(
        "android_predictive_back",
        13,
        "dev",
        "mobile",
        "The gesture of Android 14",
        {**ON, "rolloutPercentage": 40, "tags": ["android"]},
        150,
        0.41,
    ),
    Flag("app_offline_cart", 28, "dev", "mobile", "The cart works without a network", ON, 175),
    Flag("push_quiet_hours", 45, "dev", "mobile", "Nothing between ten and seven", STAYS, 20),
    Flag(
        "app_min_version",
        53,
        "olga",
        "mobile",
        "Ask for an update below it",
        {**STAYS, "variants": _split(("5.10", 1, "5.10.0"))},
        220,
    ),
    Flag(
        "images_avif",
        24,
        "dev",
        "platform",
        "AVIF where the browser takes it",
        {**ON, "rolloutPercentage": 90},
        900,
        0.9,
    ),
    Flag("http3_edge", 19, "olga", "platform", "HTTP/3 at the edge", {**ON, "rules": _segment("nordics")}, 640, 0.12),
    Flag("db_read_replicas", 51, "olga", "platform", "Reads go to replicas", STAYS, 960),
    Flag("cache_two_level", 22, "olga", "platform", "A cache in the process before Redis", ON, 870),
    Flag("queue_priorities", 15, "dev", "platform", "Orders before mails", ON, 95),
    Flag("trace_sampling_high", 1, "on-call", "platform", "Trace one request in ten", {"kind": "ops"}, 950, 0.0),
    Flag(
        "rate_limit_strict",
        48,
        "olga",
        "platform",
        "Half the usual limits",
        {"kind": "ops", "tags": ["critical"]},
        955,
        0.0,
    ),
    Flag(
        "maintenance_page",
        59,
        "olga",
        "platform",
        "Nothing but the page that says so",
        {"kind": "ops", "tags": ["critical"]},
        980,
        0.0,
    ),
    Flag("graphql_gateway", 7, "dev", "platform", "GraphQL beside REST", {**ON, "rules": _segment("staff")}, 130, 0.02),
    Flag("warehouse_routing_v2", 20, "ann", "logistics", "Send from the warehouse that is nearest", WALK_IN, 75, 0.5),
    Flag(
        "slot_booking",
        23,
        "ann",
        "logistics",
        "Choose the hour of delivery",
        {**ON, "rules": _in("city", "Berlin", "Hamburg", "Wien")},
        65,
        0.3,
    ),
    Flag("eco_packaging", 39, "ann", "logistics", "Offer to leave out the box", ON, 68),
    Flag("parcel_lockers", 35, "ann", "logistics", "Deliver to lockers", ON, 66),
    Flag(
        "stock_live",
        27,
        "ben",
        "logistics",
        "How many are left, as it is now",
        {**ON, "rolloutPercentage": 60},
        560,
        0.61,
    ),
    Flag("label_printer_v3", 31, "ann", "logistics", "Labels without the old driver", ON, 15),
    Flag(
        "fraud_model_2026",
        25,
        "ben",
        "risk",
        "The model with device signals",
        {**ON, "failSafeAfter": 300, "tags": ["critical"]},
        470,
    ),
    Flag(
        "account_takeover_check",
        29,
        "ben",
        "risk",
        "Ask again when the device is new",
        {**STAYS, "tags": ["critical"]},
        240,
    ),
    Flag(
        "reviews_moderation_ml",
        32,
        "chloe",
        "content",
        "Sort out spam before people do",
        {**ON, "rolloutPercentage": 30},
        52,
        0.3,
    ),
    Flag("rich_descriptions", 37, "chloe", "content", "Tables and pictures in descriptions", ON, 370),
    Flag(
        "translation_on_demand",
        42,
        "chloe",
        "content",
        "Translate reviews when somebody asks",
        {**ON, "blacklist": ["u_40404"]},
        33,
    ),
    Flag("new_header", 72, "chloe", "growth", "The header of the new brand", {**ON, "tags": ["web"]}, 890),
    Flag("old_cart_redirect", 80, "ben", "payments", "Links of the old cart lead to the new one", ON),
    Flag("price_rounding_fix", 66, "ann", "payments", "Round once, at the end", ON, 540),
    Flag("summer_sale_2026", 78, "chloe", "growth", "Prices, banner and countdown", {"tags": ["web"]}),
    Flag("legacy_login", 84, "dev", "platform", "The login without passkeys", {}, 4, 0.0),
    Flag("csv_export_v1", 70, "ben", "content", "Export by the old library", ON),
)
