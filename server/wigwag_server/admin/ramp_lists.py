"""`/admin/rollouts` and `/admin/guards`: what moves and watches the flags of an environment, at a glance."""

from typing import Any

import msgspec
from aiohttp import web

from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import NoQuery
from wigwag_server.admin.rollouts import HIDDEN
from wigwag_server.auth.rights import Right
from wigwag_server.rollouts import plan, standing
from wigwag_server.rollouts.plan import Rollout, Status, read_rollout
from wigwag_server.rollouts.standing import Standing, read_standing
from wigwag_server.web.operation import operation

Plain = dict[str, Any]


@operation("List rollouts", needs=Right.READ, takes=None, gives={200: Plain}, query=NoQuery)
async def list_rollouts(request: web.Request) -> web.Response:
    """GET /admin/rollouts: the latest of each flag, those that go on first. What was measured is with each alone."""
    services, _, environment = admit(request)
    Parameters(request).refuse()
    runner = services.runners[environment.name]
    table = environment.replica.records.get(plan.RECORD, {})
    found = [(key, each) for key, plain in table.items() if (each := read_rollout(plain)) is not None]
    found.sort(key=lambda pair: (_order(pair[1]), -pair[1].started_at, pair[0]))
    listed = [_rollout(key, each, runner.elapsed_ms(key, each)) for key, each in found]
    return answer({"environment": environment.name, "rollouts": listed}, environment.replica.cursor)


@operation("List guards", needs=Right.READ, takes=None, gives={200: Plain}, query=NoQuery)
async def list_guards(request: web.Request) -> web.Response:
    """GET /admin/guards: the standing guards by flag, those that have acted last first."""
    _, _, environment = admit(request)
    Parameters(request).refuse()
    table = environment.replica.records.get(standing.RECORD, {})
    found = [(key, each) for key, plain in table.items() if (each := read_standing(plain)) is not None]
    found.sort(key=lambda pair: (-(pair[1].acted_at or 0), pair[0]))
    listed = [_guard(key, each) for key, each in found]
    return answer({"environment": environment.name, "guards": listed}, environment.replica.cursor)


def _order(rollout: Rollout) -> int:
    going = (Status.RUNNING, Status.PAUSED)
    return going.index(rollout.status) if rollout.status in going else len(going)


def _rollout(key: str, rollout: Rollout, elapsed_ms: float) -> Plain:
    plain = msgspec.to_builtins(rollout)
    left_ms = max(0, round(rollout.interval_ms - elapsed_ms)) if rollout.stage_at else 0
    return {
        "flag": key,
        **{name: value for name, value in plain.items() if name not in HIDDEN},
        "guard": {**plain["guard"], **{name: plain[name] for name in HIDDEN[3:]}} if rollout.guard else None,
        "nextInMs": left_ms if rollout.status is Status.RUNNING else None,
    }


def _guard(key: str, guard: Standing) -> Plain:
    plain = msgspec.to_builtins(guard)
    limits = plain.pop("guard")
    return {"flag": key, **limits, **plain}
