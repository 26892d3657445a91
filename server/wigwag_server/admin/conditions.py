"""`If-Match`: a write on what its author has seen, and what to tell where it is not that any more."""

from http import HTTPStatus
from typing import Any

from wigwag_proto.audit import AuditQuery
from wigwag_proto.errors import WigwagError
from wigwag_server.admin.find import Plain
from wigwag_server.admin.history import history_item
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem

MOST_TOLD = 20


class Outdated(Problem):
    """A write is based on another revision than there is (412). `told` adds what has happened since."""

    def __init__(self, kind: str, key: str, record: Plain, basis: int) -> None:
        based_on = f"revision {basis}" if basis else f"there being no such {kind}"
        now = f"is at revision {record.get('revision', 0)}" if record else "does not exist"
        detail = f"Your edit is based on {based_on}, but '{key}' {now} by now. Look at what changed, then try again."
        super().__init__(HTTPStatus.PRECONDITION_FAILED, detail, current=record or None)
        self.kind, self.key, self.basis = kind, key, basis

    async def told(self, environment: Environment) -> Problem:
        """Return the problem with who has changed what since, as far as the audit log can tell it."""
        try:
            recorded = await environment.audit(AuditQuery(kind=self.kind, key=self.key, limit=MOST_TOLD))
            entries = [each.entry() for each in recorded]
        except WigwagError:
            return self
        since = [entry for entry in entries if entry.revision > self.basis]
        if not self.basis or not since:
            return self
        who = ", ".join(dict.fromkeys(entry.by for entry in since))
        items = [history_item(entry, self.kind, self.key) for entry in since]
        fields = ", ".join(dict.fromkeys(_fields(items)))
        detail = f"{self.detail} Changed since by {who}: {fields or 'nothing but its revision'}."
        return Problem(self.status, detail, **self.extra, changes=items)


def check_if_match(kind: str, key: str, record: Plain, if_match: int | None) -> None:
    """Raise Outdated unless a record, empty for none, is at the revision that its author has seen (None: any)."""
    if if_match is not None and record.get("revision", 0) != if_match:
        raise Outdated(kind, key, record, if_match)


def _fields(items: list[dict[str, Any]]) -> list[str]:
    return [change["field"] for item in items for change in item["changes"]]
