"""What scans of code have told, by repository: the latest of each, as a record of `_system`. Pure.

Of `_system`, because a repository asks for flags in every environment, and because the log of an environment goes to
every app, which has no use for this.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.environment import REFERENCES
from wigwag_server.problems import Problem

MOST_REPOSITORIES = 100
MOST_REFERENCES = 5000
LARGEST_BYTES = 768 * 1024


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One place that asks for a flag."""

    flag: str
    file: str
    line: int
    column: int = 1
    call: str = ""
    function: str = ""
    within: tuple[str, ...] = ()


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What one scan of a repository has found. `link` is a URL with {commit}, {file} and {line}, or ""."""

    repository: str
    commit: str
    branch: str = ""
    link: str = ""
    at: int = 0
    by: str = ""
    references: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class PutReferences:
    """Store an upload in place of the one before."""

    action: ClassVar[str] = "references.put"

    upload: Upload

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change; none where the same is there already. Raises Problem (409, 413)."""
        there, name = records.get(REFERENCES, {}), self.upload.repository
        if name not in there and len(there) >= MOST_REPOSITORIES:
            detail = f"There are references of {len(there)} repositories already. Delete those of one that is gone."
            raise Problem(HTTPStatus.CONFLICT, detail)
        plain = msgspec.to_builtins(msgspec.structs.replace(self.upload, at=at))
        if len(msgspec.json.encode(plain)) > LARGEST_BYTES:
            detail = f"These references take more than {LARGEST_BYTES:,} bytes. Scan less at a time."
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return [Change(REFERENCES, name, plain)]


@dataclass(frozen=True, slots=True)
class DeleteReferences:
    """Forget what is known of a repository."""

    action: ClassVar[str] = "references.delete"

    repository: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem (404)."""
        if self.repository not in records.get(REFERENCES, {}):
            raise Problem(HTTPStatus.NOT_FOUND, "Nothing is known of the code of this repository.")
        return [Change(REFERENCES, self.repository, None)]


def uploads(system: Tables) -> Iterator[Upload]:
    """Yield what is known, by repository; what cannot be read is left out."""
    for _, plain in sorted(system.get(REFERENCES, {}).items()):
        try:
            yield msgspec.convert(plain, Upload)
        except (TypeError, msgspec.ValidationError):
            continue


def uses_of(system: Tables, key: str) -> Iterator[dict[str, Any]]:
    """Yield the places that ask for a flag, as the API shows them."""
    for upload in uploads(system):
        for use in upload.references:
            if use.flag == key:
                shown = {name: value for name, value in msgspec.to_builtins(use).items() if name != "flag"}
                at = {"repository": upload.repository, "commit": upload.commit, "branch": upload.branch}
                yield {**at, "at": upload.at, **shown, "link": _link(upload, use)}


def count_uses(system: Tables) -> tuple[dict[str, int], bool]:
    """Return how many places ask for each flag, and whether anything is known of any code."""
    counts: dict[str, int] = {}
    known = False
    for upload in uploads(system):
        known = True
        for use in upload.references:
            counts[use.flag] = counts.get(use.flag, 0) + 1
    return counts, known


def _link(upload: Upload, use: Use) -> str:
    """Fill in by hand: a format string of somebody else may reach into objects."""
    filled = upload.link.replace("{commit}", upload.commit).replace("{line}", str(use.line))
    return filled.replace("{file}", use.file)
