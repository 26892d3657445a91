"""`--dev`: keys that are there from the start, on loopback only."""

import asyncio
import json
from pathlib import Path

import msgspec

from wigwag_proto.disk_io import write_atomically
from wigwag_server.admin.login_links import login_link_of
from wigwag_server.auth.keys import KeyKind, Keys, PutKeys, new_token
from wigwag_server.bootstrap import make_key
from wigwag_server.services import Services

DEV_FILE = Path(".wigwag/dev.json")
ENVIRONMENT = "production"


class DevKeys(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What `.wigwag/dev.json` holds; the command line finds the server by it."""

    url: str
    environment: str
    admin_token: str
    server_key: str
    client_key: str

    def __repr__(self) -> str:
        """Leave the keys out."""
        return f"DevKeys(url={self.url!r})"


async def dev_keys(services: Services, url: str, path: Path = DEV_FILE) -> DevKeys:
    """Return an admin token and a key of each kind, those of the last start where they are still valid.

    They are written to `path`, readable by this user only. Raises StoreUnavailable and OSError.
    """
    keys = await asyncio.to_thread(_last, path, url)
    if keys is None or not _valid(keys, services.keys):
        keys = DevKeys(
            url=url,
            environment=ENVIRONMENT,
            admin_token=new_token(KeyKind.ADMIN),
            server_key=new_token(KeyKind.SERVER),
            client_key=new_token(KeyKind.CLIENT),
        )
        records = (
            make_key(KeyKind.ADMIN, "dev", keys.admin_token),
            make_key(KeyKind.SERVER, "dev", keys.server_key, ENVIRONMENT),
            make_key(KeyKind.CLIENT, "dev", keys.client_key, ENVIRONMENT),
        )
        await services.system.commit(PutKeys(records))
    await asyncio.to_thread(write_atomically, path, json.dumps(msgspec.to_builtins(keys), indent=2).encode() + b"\n")
    return keys


def _last(path: Path, url: str) -> DevKeys | None:
    try:
        return msgspec.structs.replace(msgspec.json.decode(path.read_bytes(), type=DevKeys), url=url)
    except (OSError, msgspec.MsgspecError):
        return None


def _valid(dev: DevKeys, keys: Keys) -> bool:
    return all(keys.find(token) is not None for token in (dev.admin_token, dev.server_key, dev.client_key))


async def dev_link(services: Services, keys: DevKeys) -> str:
    """Return the path of a link that signs a browser in, once. Raises StoreUnavailable."""
    key = services.keys.find(keys.admin_token)
    assert key is not None, "dev_keys has just made sure of it"
    return await login_link_of(services, key)


def dev_banner(keys: DevKeys, link: str) -> str:
    """Return what a developer sees: where the server is, the keys, and a program that works when pasted."""
    return f"""
wigwag-server (dev) at {keys.url}

  web pages    {keys.url}{link}
               (signs one browser in, within ten minutes; for another: wigwag login-link)
  admin token  {keys.admin_token}
  server key   {keys.server_key}
  client key   {keys.client_key}
  They are also in {DEV_FILE}, where the command line finds them.

Paste this into a file, or into Python:

import asyncio
from wigwag import FlagClient

async def main():
    async with FlagClient("{keys.url}", "{keys.server_key}") as flags:
        print("new_checkout is", flags.is_enabled("new_checkout", user_id="u1"))
        async for change in flags.changes():
            print(change.what, change.key, "->", flags.is_enabled("new_checkout", user_id="u1"))

asyncio.run(main())

Then, in another terminal:

  wigwag set new_checkout --on
  wigwag kill new_checkout
"""
