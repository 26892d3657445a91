"""The clients of the soak: many real `FlagClient`s in one process, which keep every state that they were ever in.

It takes its orders as the first line of its standard input, then one question a line, and answers each with a line
of JSON. The end of its standard input ends it.
"""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from wigwag import FlagClient, Reason, Settings
from wigwag_proto.codec import encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.replica import Ancestry, Applied, Replica
from wigwag_proto.snapshot import Snapshot

STARTS_AT_ONCE = 25


class Orders(msgspec.Struct, frozen=True):
    """Whom to follow; the clients take the addresses in turn."""

    urls: tuple[str, ...]
    key: str
    clients: int


class Question(msgspec.Struct, frozen=True):
    """`reached`: how many hold `cursor`? `census`: who is where? `history`: write everything to `file`."""

    ask: str
    cursor: str = ""
    file: str = ""


@dataclass(slots=True)
class History:
    """What one client went through: (number of the state, whether it came whole, when), and kills that it lifted."""

    steps: list[tuple[int, bool, int]] = field(default_factory=list)
    killed: set[str] = field(default_factory=set)
    lifted: list[tuple[str, int, int]] = field(default_factory=list)


class Recorder:
    """Writes down every commit and snapshot that any replica of this process takes.

    It wraps `Replica.apply` and `Replica.load`, through which all that a client ever answers by has to come.
    """

    def __init__(self) -> None:
        self.histories: dict[Replica, History] = {}
        self.states: dict[str, int] = {}
        self.contents: dict[str, list[Any]] = {}
        self.disagreements: list[str] = []

    def install(self) -> None:
        """Look on from now on."""
        apply, load = Replica.apply, Replica.load

        def watched_apply(replica: Replica, epoch: Epoch, commit: Commit) -> Applied:
            applied = apply(replica, epoch, commit)
            if applied is Applied.NEW:
                changed = {change.key: change.value for change in commit.changes if change.kind == "flag"}
                self._note(replica, changed, commit.prev, whole=False)
            return applied

        def watched_load(replica: Replica, snapshot: Snapshot) -> bool:
            loaded = load(replica, snapshot)
            if loaded:
                self._note(replica, snapshot.records.get("flag", {}), "", whole=True)
            return loaded

        Replica.apply = watched_apply  # type: ignore[method-assign, assignment]
        Replica.load = watched_load  # type: ignore[method-assign, assignment]

    def _note(self, replica: Replica, flags: Mapping[str, Any], prev: str, *, whole: bool) -> None:
        name = str(replica.cursor)
        number = self.states.setdefault(name, len(self.states))
        known = self.contents.setdefault(f"{'whole' if whole else 'commit'} {name}", [prev, _contents(flags)])
        if known != [prev, _contents(flags)]:
            self.disagreements.append(name)
        history = self.histories.setdefault(replica, History())
        now = time.monotonic_ns()
        history.steps.append((number, whole, now))
        killed = {key for key, flag in flags.items() if flag and flag.get("kill") is not None}
        gone = history.killed - killed if whole else {key for key in flags if key in history.killed} - killed
        history.lifted += [(key, number, now) for key in gone]
        history.killed = (history.killed - gone) | killed


def _contents(flags: Mapping[str, Any]) -> list[Any]:
    """Return what is known of each flag: the serial number of its edit, its revision, whether it is killed."""
    return [
        [key, flag and flag.get("description"), flag and flag.get("revision"), bool(flag and flag.get("kill"))]
        for key, flag in sorted(flags.items())
    ]


class Crowd:
    """The clients, and what can be asked about them."""

    def __init__(self, orders: Orders, recorder: Recorder) -> None:
        self._recorder = recorder
        settings = Settings(cache_dir=None, start_timeout_s=30.0)
        urls = orders.urls
        self._clients = [
            FlagClient(urls[number % len(urls)], orders.key, settings=settings) for number in range(orders.clients)
        ]

    async def start(self) -> None:
        """Start them all, some at a time."""
        turn = asyncio.Semaphore(STARTS_AT_ONCE)

        async def start(client: FlagClient) -> None:
            async with turn:
                await client.start()

        await asyncio.gather(*(start(client) for client in self._clients))

    async def close(self) -> None:
        """Close them all."""
        await asyncio.gather(*(client.close() for client in self._clients))

    def answer(self, question: Question) -> dict[str, Any]:
        """Answer one question."""
        match question.ask:
            case "reached":
                cursor = Cursor.parse(question.cursor)
                return {
                    "reached": sum(_is_beyond(replica, cursor) for replica in self._recorder.histories),
                    "behind": Counter(
                        f"{client.status.source}: {client.status.last_error}"
                        for client in self._clients
                        if client.status.revision is None or client.status.revision < cursor.revision
                    ),
                }
            case "census":
                return self._census()
            case "history":
                Path(question.file).write_bytes(encode(self._history()))
                return {"written": question.file}
        raise AssertionError(question)

    def _census(self) -> dict[str, Any]:
        replicas = list(self._recorder.histories)
        flags = sorted({key for replica in replicas for key in replica.records.get("flag", {})})
        return {
            "connected": sum(client.status.connected for client in self._clients),
            "cursors": Counter(client.status.cursor or "" for client in self._clients),
            "contents": Counter(encode(_contents(replica.records.get("flag", {}))).decode() for replica in replicas),
            "killed": {
                key: sum(client.explain(key).reason is Reason.KILLED for client in self._clients) for key in flags
            },
        }

    def _history(self) -> dict[str, Any]:
        recorder = self._recorder
        return {
            "states": list(recorder.states),
            "contents": recorder.contents,
            "disagreements": recorder.disagreements,
            "steps": [history.steps for history in recorder.histories.values()],
            "lifted": [history.lifted for history in recorder.histories.values()],
        }


def _is_beyond(replica: Replica, cursor: Cursor) -> bool:
    # Whoever loaded a later state of the same history as a whole did not come through this one, and is beyond it.
    reached = replica.ancestry(cursor) in (Ancestry.SAME, Ancestry.PAST, Ancestry.UNKNOWN)
    mine = replica.cursor
    return reached or (mine is not None and mine.epoch.generation > cursor.epoch.generation)


async def follow(orders: Orders, questions: asyncio.StreamReader) -> None:
    """Follow until the questions end."""
    recorder = Recorder()
    recorder.install()
    crowd = Crowd(orders, recorder)
    try:
        await crowd.start()
        _say({"ready": orders.clients})
        while line := await questions.readline():
            _say(crowd.answer(msgspec.json.decode(line, type=Question)))
    finally:
        await crowd.close()


async def main() -> None:
    """Read the orders and follow them."""
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    if line := await questions.readline():
        await follow(msgspec.json.decode(line, type=Orders), questions)


def _say(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the soak, which then ends this
    with suppress(BrokenPipeError):
        uvloop.run(main())
