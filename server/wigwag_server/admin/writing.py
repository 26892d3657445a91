"""What all writes of flags and segments have in common: a trial run, and a 412 that says what has changed since."""

import time
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.commit import Change, Cursor
from wigwag_proto.differences import differences, what_happened
from wigwag_proto.validate import check_key
from wigwag_server.admin.answers import Within, answer, commit
from wigwag_server.admin.conditions import Outdated
from wigwag_server.admin.parameters import Parameters
from wigwag_server.auth.keys import Key
from wigwag_server.environment import BOOKKEEPING, Command, Environment
from wigwag_server.problems import Problem

CONFIRM = "confirm"
WRITE_PARAMETERS = ("comment", "dryRun")


def read_dry_run(request: web.Request, *names: str) -> bool:
    """Return whether this is a trial. `names` are further parameters of the route. Raises Problem (422)."""
    parameters = Parameters(request, *WRITE_PARAMETERS, *names)
    dry_run = parameters.switch("dryRun")
    parameters.refuse()
    return dry_run


def check_confirmation(request: web.Request, kind: str, key: str) -> None:
    """Have the key said again by whoever deletes something. Raises Problem (422)."""
    said = request.query.get(CONFIRM)
    if said == key:
        return
    how = f"Deleting a {kind} asks for its key again: DELETE {request.path}?{CONFIRM}={key}"
    what = f"'{CONFIRM}' names another key. " if said is not None and check_key(said) is None else ""
    wrong = {"parameter": CONFIRM, "detail": f"must be {key}"}
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{what}{how}. Nothing was deleted.", violations=[wrong])


async def write(
    request: web.Request, environment: Environment, command: Command, caller: Key, comment: str, *, dry_run: bool
) -> Cursor | web.Response:
    """Commit, and return the state it led to; or return what a trial has to say.

    Raises Problem and StoreUnavailable.
    """
    try:
        if dry_run:
            return _trial(environment, command, caller)
        return await commit(request, environment, command, caller, comment=comment)
    except Outdated as outdated:
        raise await outdated.told(environment) from None


def _trial(environment: Environment, command: Command, caller: Key) -> web.Response:
    """Say what would change, by running the command on the state that there is."""
    replica = environment.replica
    revision = (replica.cursor.revision if replica.cursor else 0) + 1
    changes = Within(command, caller.scope)(replica.records, revision, round(time.time() * 1000))
    body = {
        "dryRun": True,
        "environment": environment.name,
        "cursor": str(replica.cursor),
        "changes": [_change(environment, each) for each in changes if each.kind not in BOOKKEEPING],
    }
    return answer(body, replica.cursor)


def _change(environment: Environment, change: Change) -> dict[str, Any]:
    before = environment.replica.records.get(change.kind, {}).get(change.key)
    return {
        "kind": change.kind,
        "key": change.key,
        "what": what_happened(before, change.value),
        "changes": differences(change.kind, before, change.value),
    }
