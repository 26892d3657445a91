"""What became of everything: delivered, lost, out of order, invented, kills not in force. Pure.

It takes what the operators were told, what the store holds in the end, and what every client went through.

* A change is *lost* when a client neither took it nor a state that has it, when the log has another commit in its
  place, or when the store or a client ends with an older version of its flag.
* A state is *out of order* when it does not follow the one before: a commit on another head, or a snapshot that is not
  later.
* A state is *invented* when two clients (or a client and the operator) know different ones by the same epoch and
  revision, when it holds an edit that nobody asked for, or when flags that exist are missing from it.
* A kill is *not in force* when a client lifts it, in a state that comes after it, before anybody asked for that; or
  when the store or a client ends without it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.soak_writers import Acknowledged, Books, Kill
from wigwag_proto.codec import decode
from wigwag_proto.commit import Cursor

SHOWN = 20
Position = tuple[str, int]  # epoch and revision


@dataclass(slots=True)
class Verdict:
    """The counts, and of each sort of failure the first few in words."""

    acknowledged: int = 0
    delivered: int = 0
    lost: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    kills_not_in_force: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.out_of_order or self.invented or self.kills_not_in_force)

    def plain(self) -> dict[str, Any]:
        """Return it for the report."""
        failures = {
            "lost": self.lost,
            "outOfOrder": self.out_of_order,
            "invented": self.invented,
            "killsNotInForce": self.kills_not_in_force,
        }
        return {
            "acknowledged": self.acknowledged,
            "delivered": self.delivered,
            **{name: len(found) for name, found in failures.items()},
            "examples": {name: found[:SHOWN] for name, found in failures.items() if found},
        }


@dataclass(slots=True)
class Log:
    """The heads that are known, by position: the true log, as far as anybody has seen it."""

    heads: dict[Position, str] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)

    def add(self, cursor: Cursor) -> None:
        """Note that this state is in it."""
        position = (str(cursor.epoch), cursor.revision)
        if (known := self.heads.setdefault(position, cursor.head)) != cursor.head:
            self.conflicts.append(f"{cursor} and head {known} are one position of the log")


def judge(
    books: Books, histories: Sequence[Mapping[str, Any]], store: Mapping[str, Any], last: Iterable[str]
) -> Verdict:
    """Judge. `store` are its flags in the end; `last` the contents of the clients in the end, as JSON."""
    verdict = Verdict(acknowledged=len(books.acknowledged))
    acks = [(ack, Cursor.parse(ack.cursor)) for ack in books.acknowledged]
    log = Log()
    for _, cursor in acks:
        log.add(cursor)
    for history in histories:
        states = [Cursor.parse(text) for text in history["states"]]
        for state in states:
            log.add(state)
        for number, steps in enumerate(history["steps"]):
            _judge_order(f"client {number}", steps, states, history["contents"], verdict)
            _judge_delivery(f"client {number}", steps, states, acks, verdict)
        for number, lifted in enumerate(history["lifted"]):
            _judge_lifted(f"client {number}", lifted, states, books.kills, verdict)
        _judge_contents(history, books, verdict)
    verdict.invented += log.conflicts
    _judge_end(books, store, last, verdict)
    return verdict


def _judge_order(
    who: str, steps: Sequence[Any], states: Sequence[Cursor], contents: Mapping[str, Any], verdict: Verdict
) -> None:
    before: Cursor | None = None
    for number, whole, _ in steps:
        after = states[number]
        if whole:
            follows = before is None or after.rank > before.rank
        else:
            follows = (
                before is not None
                and after.epoch == before.epoch
                and after.revision == before.revision + 1
                and contents[f"commit {after}"][0] == before.head
            )
        if not follows:
            verdict.out_of_order.append(f"{who} went from {before} to {after}")
        before = after


def _judge_delivery(
    who: str,
    steps: Sequence[Any],
    states: Sequence[Cursor],
    acks: Sequence[tuple[Acknowledged, Cursor]],
    verdict: Verdict,
) -> None:
    held = {states[number] for number, _, _ in steps}
    heads = {(state.epoch, state.revision): state.head for state in held}
    latest: dict[Any, int] = defaultdict(int)
    for state in held:
        latest[state.epoch] = max(latest[state.epoch], state.revision)
    last = max((state.rank for state in held), default=(0, 0))
    for ack, cursor in acks:
        passed = latest[cursor.epoch] > cursor.revision and heads.get((cursor.epoch, cursor.revision)) is None
        # A later history begins with what was known of the one before, at the same revisions.
        in_later = last[0] > cursor.epoch.generation and last[1] >= cursor.revision
        if cursor in held or passed or in_later:
            verdict.delivered += 1
        else:
            verdict.lost.append(f"{who} never had {ack.what} of {ack.flag} at {cursor}")


def _judge_lifted(
    who: str, lifted: Sequence[Any], states: Sequence[Cursor], kills: Sequence[Kill], verdict: Verdict
) -> None:
    for flag, number, at_ns in lifted:
        state = states[number]
        for kill in kills:
            if kill.flag != flag or kill.cursor is None:
                continue
            meanwhile = kill.acked_ns < at_ns and (kill.revived_ns is None or at_ns < kill.revived_ns)
            if meanwhile and state.rank >= Cursor.parse(kill.cursor).rank:
                verdict.kills_not_in_force.append(f"{who} lifted the kill of {flag} ({kill.cursor}) at {state}")


def _judge_contents(history: Mapping[str, Any], books: Books, verdict: Verdict) -> None:
    for name in history["disagreements"]:
        verdict.invented.append(f"two clients hold different flags as {name}")
    for name, (_, flags) in history["contents"].items():
        for key, serial, _, _ in flags:
            if serial not in books.asked_for.get(key, ()):
                verdict.invented.append(f"{name} has {key} as edit {serial}, which nobody asked for")
        if name.startswith("whole ") and (missing := books.asked_for.keys() - {flag[0] for flag in flags}):
            verdict.invented.append(f"{name} lacks {', '.join(sorted(missing))}")


def _judge_end(books: Books, store: Mapping[str, Any], last: Iterable[str], verdict: Verdict) -> None:
    ends = {"the store": {key: (flag["revision"], flag.get("kill") is not None) for key, flag in store.items()}}
    for number, contents in enumerate(last):
        ends[f"clients (group {number})"] = {
            key: (revision, killed) for key, _, revision, killed in decode(contents.encode())
        }
    newest: dict[str, int] = defaultdict(int)
    for ack in books.acknowledged:
        newest[ack.flag] = max(newest[ack.flag], Cursor.parse(ack.cursor).revision if ack.what == "edit" else 0)
    for who, flags in ends.items():
        for key, revision in newest.items():
            if flags.get(key, (-1, False))[0] < revision:
                verdict.lost.append(f"{who} ended with {key} of {flags.get(key)}, older than {revision}")
        for key in books.in_force():
            if not flags.get(key, (-1, False))[1]:
                verdict.kills_not_in_force.append(f"{who} ended without the kill of {key}")
        if flags != ends["the store"]:
            verdict.lost.append(f"{who} ended with other flags than the store: {flags}")
