"""The admin API as the command line uses it."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.support.server import ADMIN_TOKEN, running
from wigwag.cli.admin_client import AdminClient
from wigwag.cli.connection import Server
from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables


@dataclass(frozen=True)
class ManyFlags:
    """Make a lot of flags in one revision."""

    number: int
    action: ClassVar[str] = "flag.put"

    def __call__(self, records: Tables, revision: int, at: int) -> list[Change]:  # noqa: ARG002
        """Return the changes."""
        keys = [f"f{index:05}" for index in range(self.number)]
        return [Change("flag", key, {"key": key, "revision": revision, "kill": None}) for key in keys]


async def test_the_list_of_flags_is_whole_however_many_there_are(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server:
        await server.services.environments["production"].commit(ManyFlags(2001))
        async with AdminClient(Server(server.url, ADMIN_TOKEN, "the test", "the test"), "production") as admin:
            keys = [flag["key"] for flag in await admin.flags()]
            assert keys == [f"f{index:05}" for index in range(2001)]
            await admin.delete("f00007")
            assert len(await admin.flags()) == 2000
