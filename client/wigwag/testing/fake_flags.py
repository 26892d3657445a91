"""`FakeFlags`: a `FlagClient` whose flags are what the test says."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wigwag.client import FlagClient
from wigwag.local import LocalFlags
from wigwag.settings import Settings
from wigwag.testing.builders import flag
from wigwag_proto.errors import WigwagError
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.problems import unknown_name

HERMETIC = Settings(cache_dir=None, kill_file=None)


class FakeFlags(FlagClient):
    """A client without a server, whose flags a test sets. It decides as the real one does, by the same code.

        FakeFlags(new_checkout=True, search=False, button="blue", beta=flag(rule("plan", "equals", "premium")))

    True and False turn a flag on and off for everybody; a dict is a flag, as `wigwag.testing.flag` makes them; None
    means that there is no such flag; anything else is the value of a flag that is on. Keys that are no Python names go
    into a dict: `FakeFlags({"a.b": True})`. What is wrong raises MalformedFlags, with all that is wrong.

    It need not be started; it may be, so that an app that starts and stops its client runs as it is. `WIGWAG_KILL`
    and kill files of the machine do not reach it.
    """

    def __init__(
        self, flags: Mapping[str, Any] | None = None, /, *, segments: Mapping[str, Any] | None = None, **named: Any
    ) -> None:
        wanted = {key: as_flag(value) for key, value in {**(flags or {}), **named}.items() if value is not None}
        self._set_up(LocalFlags.from_dict(wanted, segments or {}), HERMETIC)

    def _set_up(
        self,
        upstream: Upstream | LocalFlags,
        settings: Settings,
        disk_path: Path | None = None,
        environ: Mapping[str, str] = os.environ,  # noqa: ARG002  # the machine's, which is none of a test's business
    ) -> None:
        super()._set_up(upstream, settings, disk_path, environ={})
        self._asked: Counter[str] = Counter()

    def set(self, flags: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Set flags; the others stay as they are. None removes one."""
        wanted = {**(flags or {}), **named}
        self._replace(
            {key: as_flag(value) for key, value in wanted.items() if value is not None},
            {key for key, value in wanted.items() if value is None},
        )

    def kill(self, *keys: str) -> None:
        """Kill flags: they are off above all their rules, and for those who have bound them already.

        Raises WigwagError for a flag that there is not, as the server does.
        """
        self._replace({key: {**self._known(key), "killSwitch": True} for key in keys})

    def revive(self, *keys: str) -> None:
        """Lift the kill of flags; they are again what they were. Raises WigwagError as `kill` does."""
        self._replace({key: {name: v for name, v in self._known(key).items() if name != "kill"} for key in keys})

    @contextmanager
    def overridden(self, flags: Mapping[str, Any] | None = None, /, **named: Any) -> Iterator[None]:
        """Set flags as `set` does, for as long as the block runs; after it, these flags are what they were."""
        wanted = {**(flags or {}), **named}
        before = {key: self._fake.flags.get(key) for key in wanted}
        self.set(wanted)
        try:
            yield
        finally:
            self.set(before)

    def asked(self) -> dict[str, int]:
        """Return how often each flag was asked for, also those that there are not."""
        for count in self._ruleset.drain_usage():
            self._asked[count.flag] += count.count
        return dict(self._asked)

    @property
    def _fake(self) -> LocalFlags:
        assert self._local is not None, "made without a server"
        return self._local

    def _known(self, key: str) -> Mapping[str, Any]:
        if key not in self._fake.flags:
            raise WigwagError(unknown_name("flag", key, self._fake.flags.keys()))
        found: Mapping[str, Any] = self._fake.flags[key]
        return found

    def _replace(self, changed: Mapping[str, Any], gone: Collection[str] = ()) -> None:
        kept = {key: value for key, value in self._fake.flags.items() if key not in gone}
        self._fake.replace({**kept, **changed}, self._fake.segments)
        self._feed.take(self._fake.snapshot())


def as_flag(value: Any) -> Any:
    """Return a flag for what a test said."""
    if isinstance(value, bool):
        return {"enabled": value}
    return value if isinstance(value, Mapping) else flag(value=value)
