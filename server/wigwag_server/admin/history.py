"""What was done to a record, newest first, from the audit log."""

from typing import Any

from wigwag_proto.audit import AuditQuery, Entry, Touched
from wigwag_proto.differences import differences, what_happened
from wigwag_server.admin.find import no_such_record
from wigwag_server.environment import Environment

PAGE = 50
LARGEST_PAGE = 500


def history_item(entry: Entry, kind: str, key: str) -> dict[str, Any]:
    """Return what an entry did to a record as people are told it."""
    touched = entry.touching(kind, key) or Touched(kind, key, None, None)
    return {
        "revision": entry.revision,
        "at": entry.at,
        "what": what_happened(touched.before, touched.after),
        "action": entry.action,
        "by": entry.by,
        "keyId": entry.key_id,
        "address": entry.address,
        "comment": entry.comment,
        "approvedBy": entry.approved_by,
        "request": entry.request,
        "changes": differences(kind, touched.before, touched.after),
    }


async def history(environment: Environment, kind: str, key: str, *, limit: int, before: int | None) -> dict[str, Any]:
    """Return a part of a record's history. Raises Problem (404) for a record that nobody knows of."""
    query = AuditQuery(kind=kind, key=key, limit=limit + 1, before=before)
    recorded = await environment.audit(query)
    table = environment.replica.records.get(kind, {})
    if not recorded and before is None and key not in table:
        raise no_such_record(kind, key, table)
    shown = recorded[:limit]
    return {
        "environment": environment.name,
        "key": key,
        "exists": key in table,
        "history": [history_item(each.entry(), kind, key) for each in shown],
        "next": shown[-1].sequence if len(recorded) > limit else None,
    }
