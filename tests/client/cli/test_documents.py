"""Files of configuration: what is written is read back as it was, also by others' readers of YAML."""

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from wigwag.cli.documents import as_text, read_document
from wigwag.yaml_source import Loader

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["NO", "yes", "on", "1e3", "0x1f", "010", "1_000", "12:30:45", "2026-01-01", "~", "null", "=", "<<", "-", "?", ""]
)
SCALARS = (
    TEXT | st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
DOCUMENTS = st.dictionaries(TEXT, VALUES, min_size=1, max_size=4)


@given(DOCUMENTS)
def test_a_document_is_read_back_as_it_was(document: dict[str, Any]) -> None:
    text = as_text(document, as_json=False)
    assert yaml.load(text, Loader) == document
    assert repr(yaml.load(text, Loader)) == repr(json.loads(json.dumps(document)))
    assert yaml.safe_load(text) == document
    assert json.loads(as_text(document, as_json=True)) == document


def test_yaml_is_read_as_version_1_2(tmp_path: Path) -> None:
    path = tmp_path / "flags.yaml"
    path.write_text(
        "a: &a [NO, yes, on, off, y, 2026-01-01, 12:30, 010, 1e3, 0x1f]\nb: {<<: {c: 1}, d: 2}\ne: *a\nf: true\n"
    )
    document = read_document(path)
    assert document["a"] == ["NO", "yes", "on", "off", "y", "2026-01-01", "12:30", 10, 1000.0, "0x1f"]
    assert (document["b"], document["e"], document["f"]) == ({"c": 1, "d": 2}, document["a"], True)
