"""The scan, measured on sources whose every line says what it asks for."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wigwag.scan.project import scan
from wigwag.scan.reference import Reference
from wigwag.scan.tokens import token_references

LABELLED = Path(__file__).parent / "labelled"
MARK = re.compile(r"#: (.+)$")
Place = tuple[str, int, str]


def labels(*, depths: bool = False) -> list[Place]:
    """Return every use that the sources name: file, line, and the key (or depth)."""
    found: list[Place] = []
    for path in sorted(LABELLED.glob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if (mark := MARK.search(line)) is not None:
                words = mark[1].split()
                depth = words.pop() if path.name == "nested.py" else ""
                found += [(path.name, number, depth if depths else word) for word in words if not depths or depth]
    return sorted(found)


def found() -> list[tuple[Place, Reference]]:
    result = scan([LABELLED], own={"flag_set"})
    assert not result.unread
    return [((Path(each.file).name, each.line, each.flag or "*"), each) for each in result.references]


def test_the_labelled_set_is_large_enough_to_say_something() -> None:
    assert len(labels()) >= 150


def test_every_use_is_found_and_nothing_else() -> None:
    wanted, got = labels(), sorted(place for place, _ in found())
    missed = [place for place in wanted if place not in got]
    invented = [place for place in got if place not in wanted]
    assert not missed, f"recall {1 - len(missed) / len(wanted):.1%}"
    assert not invented, f"precision {1 - len(invented) / len(got):.1%}"
    assert got == wanted


def test_nesting_is_told() -> None:
    depths = [(file, line, str(each.depth)) for (file, line, _), each in found() if file == "nested.py"]
    assert sorted(depths) == labels(depths=True)


def test_a_reference_says_in_which_function_it_stands_and_what_a_dynamic_key_is_made_of() -> None:
    by_text = {each.text: each for _, each in found() if each.flag is None}
    assert by_text["f'checkout_{number}'"].function == "dynamic"
    (view,) = [each for _, each in found() if each.flag == "view_text"]
    assert (view.function, view.call, view.within) == ("View.get", "value", ("view",))


def test_what_cannot_be_read_is_named_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "nul.py").write_bytes(b"x = 1\0")
    (tmp_path / "huge.py").write_bytes(b"#" * 3_000_000)
    (tmp_path / "good.py").write_text('flags.is_enabled("checkout")\n')
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").write_text("checkout")
    (tmp_path / "page.js").write_text('flag("checkout"); flag("checkout2"); // my-checkout, checkout.')
    result = scan([tmp_path], {"checkout"})
    assert {Path(name).name for name in result.unread} == {"broken.py", "nul.py", "huge.py"}
    assert [(Path(each.file).name, each.flag) for each in result.references] == [
        ("good.py", "checkout"),
        ("page.js", "checkout"),
    ]


@given(st.lists(st.sampled_from(["a", "a.b", "a-b", "ab", " ", "'", ","]), max_size=12))
def test_a_token_is_a_whole_key(words: list[str]) -> None:
    text = "".join(words)
    for each in token_references("f.js", text, {"a", "a.b"}):
        before, after = text[: each.column - 1], text[each.column - 1 + len(each.flag or "") :]
        assert not re.search(r"[A-Za-z0-9._-]$", before)
        assert not re.match(r"[A-Za-z0-9._-]", after)
