"""Which repository and commit a folder is of: as the pipeline says, else as git says."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wigwag.cli.exits import ExitCode, Stop

GIT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Checkout:
    """What an upload says of where the code is from. `link` is a URL with {commit}, {file} and {line}, or ""."""

    repository: str
    commit: str
    branch: str
    link: str
    top: Path


async def find_checkout(
    folder: Path, environ: Mapping[str, str], *, repository: str, commit: str, branch: str, link: str
) -> Checkout:
    """Return what is known of a folder; what is given counts before what is found. Raises Stop."""
    top = _resolved(await _git(folder, "rev-parse", "--show-toplevel") or str(folder))
    repository = (
        repository or environ.get("GITHUB_REPOSITORY", "") or _name(await _git(folder, "remote", "get-url", "origin"))
    )
    commit = commit or environ.get("GITHUB_SHA", "") or await _git(folder, "rev-parse", "HEAD")
    branch = branch or environ.get("GITHUB_REF_NAME", "") or await _git(folder, "branch", "--show-current")
    server, known = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    if not link and server and known:
        link = f"{server}/{known}/blob/{{commit}}/{{file}}#L{{line}}"
    for value, option in ((repository, "--repository"), (commit, "--commit")):
        if not value:
            raise Stop(f"it is not known of what this is: git does not say. Give {option}", ExitCode.USAGE)
    return Checkout(repository, commit, branch, link, top)


def _resolved(folder: str) -> Path:
    return Path(folder).resolve()


def _name(remote: str) -> str:
    """Return `owner/name` of a remote's address; of a path, only its last part, since it says where somebody works."""
    plain = remote.removesuffix("/").removesuffix(".git")
    parts = plain.replace(":", "/").split("/")
    return "/".join(parts[-2:]) if "://" in remote or "@" in remote else parts[-1]


async def _git(folder: Path, *words: str) -> str:
    """Return what git says, "" where there is no git, or no repository."""
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(folder), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(GIT_TIMEOUT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return out.decode(errors="replace").strip() if process.returncode == 0 else ""
