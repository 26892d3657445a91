"""The copy on disk."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wigwag_proto.commit import Cursor
from wigwag_proto.disk_io import DiskCopy
from wigwag_proto.snapshot import Snapshot

SNAPSHOT = Snapshot(environment="production", cursor=Cursor.parse("1.aa:1:bb"), at=0, records={})


@pytest.mark.parametrize("when", ["at the end of the process", "where no thread can be had"])
async def test_a_process_that_ends_does_not_complain_of_its_disk(
    tmp_path: Path, when: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = ThreadPoolExecutor()
    if when == "at the end of the process":
        executor.shutdown()
    else:
        monkeypatch.setattr(executor, "submit", no_thread)
    asyncio.get_running_loop().set_default_executor(executor)
    copy = DiskCopy(tmp_path / "f.snapshot", lambda: SNAPSHOT)
    copy.changed()
    assert not await copy.flush()
    assert copy.last_error is not None
    assert ("cannot keep" in caplog.text) is (when == "where no thread can be had")


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")
