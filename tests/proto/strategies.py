"""Flags, segments and contexts as hypothesis draws them: small worlds in which things meet."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from wigwag_proto.rule_checks import ALL_OPERATORS

KEYS = ("f", "g", "h")
ATTRIBUTES = ("userId", "plan", "age", "companyId")


class Hostile:
    """Raises whatever one does with it."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __lt__(self, other: object) -> bool:
        raise RuntimeError("no order")

    __le__ = __gt__ = __ge__ = __lt__

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __str__(self) -> str:
        raise RuntimeError("no text")


scalars = st.sampled_from(
    ["premium", "free", "", "1", "user-1", "user-2", 0, 1, 1.0, 2, 18.5, True, False, "1.2.3", "2026-01-31T09:00:00Z"]
)
operands = scalars | st.lists(scalars, max_size=3) | st.sampled_from([None, "staff", "german", ["staff", "nope"], {}])
PYTHON_VALUES: list[Any] = [
    Hostile(),
    object(),
    float("nan"),
    float("inf"),
    10**400,
    -(10**400),
    Decimal("1.5"),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1),  # noqa: DTZ001  # that it names no instant is the point
    "\ud800",
    "x" * 10_000,
    b"premium",
    {1, 2},
    ("premium", 1),
    [],
    {},
    [[]],
    {"a": []},
    int,
    Ellipsis,
]
python_values = st.integers(0, len(PYTHON_VALUES) - 1).map(PYTHON_VALUES.__getitem__)  # sampled_from would hash them
values = scalars | st.none() | python_values
contexts = st.dictionaries(st.sampled_from(ATTRIBUTES), values)
rules = st.builds(
    lambda attribute, operator, value: {"attribute": attribute, "operator": operator, "value": value},
    st.sampled_from(ATTRIBUTES),
    st.sampled_from([*ALL_OPERATORS, "soundsLike"]),
    operands,
)
user_lists = st.lists(st.sampled_from(["user-1", "user-2", "1"]), max_size=2)
variants = st.lists(
    st.builds(
        lambda name, weight: {"name": name, "weight": weight, "value": [name]},
        st.sampled_from("abc"),
        st.sampled_from([0, 1, 1, 98, 0.001]),
    ),
    max_size=3,
    unique_by=lambda variant: str(variant["name"]),
)
arms: dict[str, Any] = {
    "rules": st.lists(rules, max_size=2) | st.lists(rules, min_size=17, max_size=18),
    "rolloutPercentage": st.sampled_from([0, 0.001, 10, 50, 99.999, 100, 100]),
    "variants": variants,
}
overrides = st.lists(st.fixed_dictionaries({"name": st.sampled_from("xyz")}, optional=arms), max_size=2)
requirements = st.lists(
    st.builds(
        lambda flag, variant: {"flag": flag, "variant": variant},
        st.sampled_from([*KEYS, "nope"]),
        st.sampled_from([None, None, "a"]),
    ),
    max_size=2,
)
flags = st.fixed_dictionaries(
    {"enabled": st.sampled_from([True, True, True, False])},
    optional={
        **arms,
        "kill": st.sampled_from([None, None, {"by": "ops", "at": 1}]),
        "whitelist": user_lists,
        "blacklist": user_lists,
        "overrides": overrides,
        "bucketBy": st.sampled_from(["userId", "companyId"]),
        "requires": requirements,
        "failSafeAfter": st.sampled_from([None, 30]),
    },
)
segments = st.fixed_dictionaries(
    {}, optional={"include": user_lists, "exclude": user_lists, "rules": st.lists(rules, max_size=2)}
)
flag_tables = st.dictionaries(st.sampled_from(KEYS), flags, max_size=3)
segment_tables = st.dictionaries(st.sampled_from(["staff", "german"]), segments)
