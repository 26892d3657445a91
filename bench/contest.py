"""The flags and users on which every contestant of `bench.evaluation` is measured, and what a contestant is.

A user has an id and three attributes. A bound context holds them all; one made for the call holds the id and the plan,
and all of them for the flag whose rules name them all.
"""

import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

OTHERS = 1000
COUNTRIES = [f"C{n:02}" for n in range(99)] + ["DE"]
ROWS = ("off", "static", "rollout", "rule", "hard")
MEANING = {
    "off": "killed, or off where a peer knows no kill",
    "static": "on for everyone",
    "rollout": "10 % rollout",
    "rule": "one string rule",
    "hard": "three rules, one an `in` of 100, and 50 %",
}
KEYS = (*ROWS, *(f"other-{n}" for n in range(OTHERS)))
NOWHERE = "http://127.0.0.1:9"  # for those that insist on an address
User = dict[str, Any]
Ask = Callable[[str, User], bool]


def user(user_id: str, *, plan: str = "premium", country: str = "DE", age: int = 33) -> User:
    """Return a user as a web app knows one; the texts are made anew, as those of a request are."""
    return {"userId": user_id, "plan": "".join(list(plan)), "country": "".join(list(country)), "age": age}


def without_id(user: User) -> dict[str, Any]:
    """Return the attributes of a user, for those that take the id apart."""
    return {key: value for key, value in user.items() if key != "userId"}


@dataclass(frozen=True)
class Contestant:
    """A library loaded with the flags and `OTHERS` more.

    `ask` decides once, to check that it decides right. The statements to measure are `bound`, with a context made
    before; `fresh`, with one of a user id and a plan made in each call; and `fresh_hard`, with one of all that the
    hard flag looks at. FLAG in them stands for the key. `names` are the names in them, to which the benchmark adds
    `user_id`, `plan`, `country` and `age`. `close` ends its threads.
    """

    name: str
    ask: Ask
    names: Mapping[str, Any]
    bound: str
    fresh: str
    fresh_hard: str
    close: Callable[[], object] = lambda: None

    def timers(self) -> dict[tuple[str, str], timeit.Timer]:
        """Return a timer for each row and kind; its loop holds the statement itself, not a call around it."""
        known = user("user-1234")
        names = {**self.names, "user_id": known["userId"], **{k: known[k] for k in ("plan", "country", "age")}}
        return {
            (row, kind): timeit.Timer(statement.replace("FLAG", repr(row)), globals=names)
            for row in ROWS
            for kind, statement in (("bound", self.bound), ("fresh", self.fresh_hard if row == "hard" else self.fresh))
        }


def wrong_answers(ask: Ask, users: int = 1000) -> list[str]:
    """Return what a contestant decides otherwise than it must. Hashes differ between libraries; shares must not."""
    wrong = []
    for flag, who, expected in (
        ("off", {}, False),
        ("static", {}, True),
        ("rule", {}, True),
        ("rule", {"plan": "free"}, False),
        ("hard", {"plan": "free"}, False),
        ("hard", {"country": "FR"}, False),
        ("hard", {"age": 17}, False),
    ):
        if ask(flag, user("user-1", **who)) is not expected:
            wrong.append(f"{flag} for {who} is not {expected}")
    for flag, share in (("rollout", 0.1), ("hard", 0.5)):
        seen = sum(ask(flag, user(f"user-{n}")) for n in range(users)) / users
        if abs(seen - share) > 5 * (share * (1 - share) / users) ** 0.5:
            wrong.append(f"{flag} is on for {seen:.1%} of the users")
    return wrong
