"""`wigwag codegen`, and what mypy and Python make of its module."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.cli.conftest import Wigwag
from wigwag.cli.typed_module import identifiers, typed_module
from wigwag.testing import FakeFlags

ROOT = Path(__file__).parent.parent.parent.parent
VARIANTS: dict[str, list[Any]] = {
    "button": ["blue", "red"],
    "limit": [1, 2],
    "ratio": [1, 0.5],
    "layout": [{"a": 1}],
    "sizes": [[1, 2]],
    "maybe": ["x", None],
    "really": [True],
    "mixed": ["x", 5],
}
FLAGS: dict[str, Any] = {
    "new-checkout": {"enabled": True, "description": 'The "new" one.\n\tSee \\ docs """'},
    "class": {"enabled": True},
    "2fa": {"enabled": True},
    "off": {"enabled": False},
    **{
        key: {"enabled": True, "variants": [{"name": f"v{n}", "weight": 1, "value": v} for n, v in enumerate(values)]}
        for key, values in VARIANTS.items()
    },
}
PROGRAM = """
from typed import Flags
from wigwag.bound import BoundFlags

def work(bound: BoundFlags) -> None:
    flags = Flags(bound)
    if flags.new_checkout and flags.class_.enabled and flags.flag_2fa:
        pass
    colour: str = flags.button.value(default="grey")
    limit: int = flags.limit.value(default=1)
    ratio: float = flags.ratio.value(default=1)
    maybe: str | None = flags.maybe.value(default=None)
    if flags.button.variant == "v0":
        pass
    flags.new_chekout  # WRONG
    flags.button.value(default=5)  # WRONG
    flags.limit.value(default="x")  # WRONG
    flags.button.variant == "blue"  # WRONG
    flags.off.value(default=1)  # WRONG
"""


def module_of(flags: dict[str, Any], folder: Path) -> Any:
    path = folder / "typed.py"
    path.write_text(typed_module([{**flag, "key": key} for key, flag in flags.items()], "The flags"))
    spec = importlib.util.spec_from_file_location("typed", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_accessors_decide(tmp_path: Path) -> None:
    fake = FakeFlags(FLAGS)
    flags = module_of(FLAGS, tmp_path).Flags(fake.bind(user_id="u"))
    assert flags.new_checkout
    assert flags.new_checkout.enabled
    assert flags.class_
    assert not flags.off
    assert flags.button.value(default="grey") in ("blue", "red")
    assert flags.button.variant in ("v0", "v1")
    assert flags.layout.value(default={}) == {"a": 1}
    assert flags.really.value(default=False) is True
    assert fake.asked()["new-checkout"] == 2


@pytest.mark.parametrize(
    ("key", "now", "default", "gives"),
    [
        ("button", 5, "grey", "grey"),
        ("button", None, "grey", "grey"),
        ("limit", True, 7, 7),
        ("limit", 1.5, 7, 7),
        ("ratio", 3, 0.1, 3),
        ("ratio", "3", 0.1, 0.1),
        ("maybe", None, "x", None),
        ("really", 1, False, False),
    ],
)
def test_a_value_of_another_sort_than_the_code_knows_is_the_default(
    key: str, now: Any, default: Any, gives: Any, tmp_path: Path
) -> None:
    flags = FakeFlags({key: {"enabled": True, "variants": [{"name": "new", "weight": 1, "value": now}]}})
    found = getattr(module_of(FLAGS, tmp_path).Flags(flags.bind()), key).value(default=default)
    assert found == gives
    assert type(found) is type(gives)


def test_mypy_finds_a_mistyped_key_and_accepts_the_rest(tmp_path: Path) -> None:
    module_of(FLAGS, tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache/codegen"), "program.py"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=80, check=False)
    told = {int(line.split(":")[1]) for line in ran.stdout.splitlines() if line.startswith("program.py:")}
    assert told == {n for n, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# WRONG")}, ran.stdout
    assert "typed.py" not in ran.stdout


def test_the_module_imports_what_it_uses_and_no_more(tmp_path: Path) -> None:
    for flags in (FLAGS, {}, {"f": {"enabled": True}}, {"f": FLAGS["layout"]}):
        module_of(flags, tmp_path)
        words = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,I", "typed.py"]
        ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_names_that_would_meet_are_all_told_apart() -> None:
    names = identifiers(["a-b", "a.b", "a_b", "c"])
    assert len(set(names.values())) == 4
    assert names["c"] == "c"
    assert "a_b" not in names.values()
    assert identifiers(["a_b"]) == {"a_b": "a_b"}


@given(st.text(), st.lists(st.tuples(st.text(min_size=1), st.none() | st.integers() | st.text()), max_size=3))
def test_whatever_people_write_the_module_is_python(description: str, variants: list[tuple[str, Any]]) -> None:
    weighed = [{"name": name, "weight": 1, "value": value} for name, value in variants]
    text = typed_module([{"key": "k", "description": description, "variants": weighed}], "The flags")
    names: dict[str, Any] = {}
    exec(compile(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "typed", "exec"), names)
    flags = names["Flags"](FakeFlags(k=True).bind())
    assert flags.k


def test_no_flags_are_a_module_too(tmp_path: Path) -> None:
    assert module_of({}, tmp_path).Flags(FakeFlags().bind())


# The command


def test_it_reads_a_server(wigwag: Wigwag, tmp_path: Path) -> None:
    assert wigwag("set", "codegen-seen", "--on").code == 0
    ran = wigwag("codegen")
    assert ran.code == 0
    assert "def codegen_seen(self) -> Switch:" in ran.out
    assert ran.out.startswith('"""The flags of production')


def test_it_reads_a_file_and_writes_one_and_checks_it(bare_wigwag: Wigwag, tmp_path: Path) -> None:
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"f": True}}))
    words = ("codegen", "--from-file", "flags.json", "--output", "typed.py")
    assert bare_wigwag(*words, "--check").code == 1
    assert not (tmp_path / "typed.py").exists()
    assert "Wrote typed.py" in bare_wigwag(*words).err
    assert "up to date" in bare_wigwag(*words, "--check").err
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"f": True, "g": True}}))
    told = bare_wigwag(*words, "--check")
    assert (told.code, "run 'wigwag codegen" in told.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--check",), "say which one by --output"),
        (("--from-file", "nope.json"), "nope.json"),
        (("--from-file", "wrong.json"), "/flags/f/enabled"),
        (("--from-file", "good.json", "--output", "no/such/folder.py"), "cannot write"),
    ],
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], said: str, bare_wigwag: Wigwag, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text(json.dumps({"flags": {"f": {"enabled": 1}}}))
    (tmp_path / "good.json").write_text(json.dumps({"flags": {"f": True}}))
    ran = bare_wigwag("codegen", *words)
    assert ran.code in (1, 2)
    assert said in ran.err
