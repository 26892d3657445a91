"""`python -m tests.mutants [MODULE …]`: change one thing in a module of proto, and see whether a test notices.

A mutant that lives is a test that is missing, code that is not needed, or a change that makes no difference: somebody
has to look. Each one runs in a fork of a process that has read all libraries and nothing of ours, so that it costs
little more than its tests. Needs fork, hence no Windows.
"""

import argparse
import importlib
import os
import resource
import signal
import sys
import time
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from tests.mutants.concerned import CONCERNED
from tests.mutants.mutations import Mutant, mutants

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto" / "wigwag_proto"
OURS = ("wigwag", "wigwag_proto", "wigwag_server", "tests", "__main__", "conftest")
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "_hypothesis_pytestplugin")
MEMORY = 4 * 1024**3  # of one mutant, which may well count without end
OPTIONS = ["-x", "-q", "-m", "not long", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]


class Instead(MetaPathFinder, Loader):
    """Gives the changed code where the module is imported."""

    def __init__(self, module: str, code: CodeType) -> None:
        self.module = module
        self.code = code

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Answer for the one module."""
        if fullname != f"wigwag_proto.{self.module}":
            return None
        return spec_from_file_location(fullname, PROTO / f"{self.module}.py", loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed code as the module."""
        exec(self.code, module.__dict__)


def main() -> int:
    """Try the mutants of some modules; print those that live."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(CONCERNED), metavar="MODULE", help=", ".join(CONCERNED))
    parser.add_argument("--most", type=int, default=100, help="of one module; of more, so many evenly spread are tried")
    asked = parser.parse_args()
    os.chdir(ROOT)
    os.environ |= {"CI": "true", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    read_libraries()
    for module in asked.modules:
        began = time.monotonic()
        if not passes(module, None, limit_s=300):
            sys.stderr.write(f"{module}: its tests fail as it is\n")
            return 1
        limit_s = 30 + 10 * (time.monotonic() - began)
        every = list(mutants((PROTO / f"{module}.py").read_text(encoding="utf-8"), module))
        tried = spread(every, asked.most)
        alive = [each for each in tried if passes(module, each.code, limit_s)]
        sys.stdout.write(f"{module}: {len(tried)} of {len(every)} tried, {len(alive)} live\n")
        sys.stdout.writelines(f"  {module}.py:{each}\n" for each in alive)
        sys.stdout.flush()
    return 0


def spread(every: list[Mutant], most: int) -> list[Mutant]:
    """Return at most so many, from the whole of the module."""
    return every if len(every) <= most else [every[i * len(every) // most] for i in range(most)]


def passes(module: str, code: CodeType | None, limit_s: float) -> bool:
    """Run the tests that concern a module, on changed code if there is any; say whether they pass."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if code is not None:
            sys.meta_path.insert(0, Instead(module, code))
        os._exit(tests_of(CONCERNED[module]))
    end = time.monotonic() + limit_s
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)
    return ended[1] == 0


def tests_of(files: tuple[str, ...], *options: str) -> int:
    """Run tests here and now, in silence. Few examples: what a mutant does wrong, it mostly does often."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    pytest = importlib.import_module("pytest")
    settings = importlib.import_module("hypothesis").settings
    settings.register_profile("few", max_examples=20, derandomize=True, database=None)
    settings.load_profile("few")
    plugins = [word for name in PLUGINS for word in ("-p", name)]
    return int(pytest.main([*OPTIONS, *plugins, *options, *files]))


def read_libraries() -> None:
    """Import what the tests import and is not ours; a fork finds out what that is."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        tests_of(tuple({file for files in CONCERNED.values() for file in files}), "--collect-only")
        names = [name for name in sys.modules if name.partition(".")[0] not in OURS]
        with os.fdopen(writing, "w") as pipe:
            pipe.write("\n".join(names))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = pipe.read().split()
    os.wait()
    for name in names:
        if not name.startswith("_pytest.assertion"):
            try:
                importlib.import_module(name)
            except ImportError:
                continue


if __name__ == "__main__":
    sys.exit(main())
