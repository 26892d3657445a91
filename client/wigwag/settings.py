"""What a client can be told, beyond the server's address and its key."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

from wigwag_proto.supervisor import Patience


def default_cache_dir() -> Path:
    """Return the folder for last known snapshots of this user."""
    return user_cache_path("wigwag")


def default_kill_file() -> Path | None:
    """Return the kill file that `WIGWAG_KILL_FILE` names."""
    name = os.environ.get("WIGWAG_KILL_FILE")
    return Path(name) if name else None


def default_label() -> str:
    """Return the label that `WIGWAG_LABEL` gives this process."""
    return os.environ.get("WIGWAG_LABEL", "")


def default_sampling() -> bool:
    """Return whether `WIGWAG_SAMPLE_CONTEXTS` allows samples of contexts to leave this process."""
    return os.environ.get("WIGWAG_SAMPLE_CONTEXTS", "").lower() in ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True)
class Settings:
    """All times are seconds.

    `cache_dir` is where the last known snapshot is kept; None keeps none. `start_timeout_s` bounds how long a start
    waits for the first answer of the server; it goes on with the last known snapshot, or the defaults, after that.
    `save_spacing_s` is the least time between two writes of the snapshot. `kill_file` names flags that are off in
    every process that looks at it, one a line; it is looked at every `kill_file_every_s`. Names that code asks for
    and that no flag has are logged, once each, every `report_unknown_s`. `close_timeout_s` bounds how long a close
    takes, whatever the network and the disk do. `flag_file_every_s` is how often the file of a client without a server
    is looked at. `label` says to operators what this process is for, beside its host
    and process id. How flags were decided is reported every `report_every_s`; 0 reports nothing at all, and then
    nobody can see whether a kill is in force here. With `sample_contexts`, and where the environment takes samples,
    some contexts are reported too: the attributes that rules ask for, and hashes of ids. Of attributes that are named
    in `private_attributes`, only hashes are.
    """

    cache_dir: Path | None = field(default_factory=default_cache_dir)
    start_timeout_s: float = 2.0
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    save_spacing_s: float = 1.0
    kill_file: Path | None = field(default_factory=default_kill_file)
    kill_file_every_s: float = 1.0
    flag_file_every_s: float = 0.5
    report_unknown_s: float = 10.0
    label: str = field(default_factory=default_label)
    report_every_s: float = 10.0
    sample_contexts: bool = field(default_factory=default_sampling)
    private_attributes: tuple[str, ...] = ()
    patience: Patience = field(default_factory=Patience)
