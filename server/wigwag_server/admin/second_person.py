"""Where an environment asks for a second person: a change becomes a proposal, and a kill does not wait."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from wigwag_proto.audit import Author
from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.proposals import (
    LASTS_MS,
    Approval,
    Propose,
    approval_plain,
    kills,
    only_kills,
    propose,
    size_of,
)
from wigwag_server.environment import Command, Environment
from wigwag_server.environments import environment_record
from wigwag_server.problems import Problem, Waiting
from wigwag_server.services import Services


@dataclass(frozen=True, slots=True)
class OnlyKills:
    """A command that was let through because it only kills, and may do nothing else when it is run again."""

    command: Command

    @property
    def action(self) -> str:
        """The command's own."""
        return self.command.action

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the command's changes. Raises Problem (409)."""
        changes = self.command(records, revision, at)
        if changes and not only_kills(changes, records):
            raise Problem(HTTPStatus.CONFLICT, "The flags have changed meanwhile. Look at them, then try again.")
        return changes


async def unless_proposed(
    services: Services, environment: Environment, command: Command, by: Author
) -> tuple[Command, Author]:
    """Return the command that may be committed now, and on whose behalf.

    Raises Waiting where it was proposed instead, what the command raises, and StoreUnavailable.
    """
    if not environment_record(services.system.replica.records, environment.name).approvals:
        return command, by
    records, now = environment.replica.records, round(time.time() * 1000)
    revision = environment.replica.cursor.revision + 1 if environment.replica.cursor else 1
    changes = command(records, revision, now)
    if not changes:
        return command, by
    if only_kills(changes, records):
        return OnlyKills(command), msgspec.structs.replace(by, exempt=True)
    if killed := kills(changes, records):
        detail = (
            f"'{environment.name}' asks for a second person for this change, but a kill must not wait for one. "
            f"Kill {', '.join(killed)} by itself (POST /admin/kill), and send the rest without killSwitch."
        )
        raise Problem(HTTPStatus.CONFLICT, detail)
    proposed = propose(changes, records)
    approval = Approval(
        id=secrets.token_hex(8),
        environment=environment.name,
        action=command.action,
        by=by.name,
        key_id=by.key_id,
        address=by.address,
        comment=by.comment,
        request=by.request,
        created_at=now,
        expires_at=now + LASTS_MS,
        size=size_of(proposed),
        changes=proposed,
    )
    limits = services.settings.limits
    await services.run_to_end(services.system.commit(Propose(approval, limits.approvals, limits.approval_bytes), by))
    detail = (
        f"Nothing has changed yet: '{environment.name}' asks for a second person. Somebody else with the right to edit "
        f"approves it by POST /admin/approvals/{approval.id}/approve, within 7 days."
    )
    raise Waiting({"approval": approval_plain(approval, now), "detail": detail})
