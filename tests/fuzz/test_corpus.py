"""What the fuzzers have found worth keeping, run once more: nothing of it is a defect."""

import pytest

from tests.fuzz.corpus import FOLDER, kept
from tests.fuzz.http_targets import http_targets
from tests.fuzz.targets import LARGEST_EVENT, TARGETS, snapshot_file, stream


@pytest.mark.parametrize("name", TARGETS)
def test_no_kept_input_of_a_format_is_a_defect(name: str) -> None:
    inputs = kept(name)
    assert len(inputs) > 20
    for each in inputs:
        TARGETS[name](each)


def test_no_kept_body_is_a_defect() -> None:
    with http_targets() as http:
        for name, target in http.targets.items():
            assert len(kept(name)) > 20
            for each in kept(name):
                target(each)


def test_every_file_of_the_corpus_has_its_target() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {*TARGETS, "ofrep", "admin"}


def test_the_targets_see_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that cannot fail would be no fuzzing at all."""
    monkeypatch.setattr("tests.fuzz.targets.decode_event", lambda event: int(event.data))
    with pytest.raises(ValueError, match="invalid literal"):
        stream(b"\0data: x\n\n")
    monkeypatch.setattr("tests.fuzz.targets.encode_file", lambda _: b"")
    with pytest.raises(Exception, match="not a wigwag snapshot file"):
        snapshot_file(b'{"environment":"p","cursor":"1.aa:1:bb","at":1,"flags":{}}')
    stream(b"\0data: " + b"x" * LARGEST_EVENT)
