"""One target under atheris: its name, the command that starts it, and libFuzzer's options. `tests.fuzz` does so."""

import sys
from contextlib import nullcontext

import atheris

with atheris.instrument_imports(include=["wigwag", "wigwag_proto", "wigwag_server"]):
    from tests.fuzz.http_targets import http_targets
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run the target that the first argument names. Does not return: libFuzzer ends the process."""
    name, *command = sys.argv[1:]
    http = None if name in TARGETS else http_targets()
    with nullcontext() if http is None else http as made:
        target = TARGETS[name] if made is None else made.targets[name]
        atheris.Setup(command, target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
