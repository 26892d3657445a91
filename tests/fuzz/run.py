"""One target under atheris, with libFuzzer's own options. `tests.fuzz` starts these."""

import sys
from contextlib import nullcontext

import atheris

with atheris.instrument_imports(include=["wigwag", "wigwag_proto", "wigwag_server"]):
    from tests.fuzz.http_targets import http_targets
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run the target that the first argument names. Does not return: libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    http = None if name in TARGETS else http_targets()
    with nullcontext() if http is None else http as made:
        target = TARGETS[name] if made is None else made.targets[name]
        atheris.Setup([sys.argv[0], *options], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
