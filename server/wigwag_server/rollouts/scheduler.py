"""Makes the command that a schedule is for, once its time has come."""

from typing import Any

from wigwag_server.admin.bodies import MISSED_BEATS, FlagLimits, read_flag_body
from wigwag_server.admin.edits import Patch
from wigwag_server.admin.find import Plain
from wigwag_server.admin.flag_commands import KillFlags, PutFlag, ReviveFlag
from wigwag_server.environment import Command, Environment
from wigwag_server.rollouts.schedule import Schedule, What
from wigwag_server.services import Services


class Scheduler:
    """Of one environment. A change is checked when it is scheduled, and again when it is made: flags move on."""

    def __init__(self, services: Services, environment: Environment) -> None:
        self._services = services
        self._environment = environment

    def __call__(self, schedule: Schedule) -> Command:
        """Return the command."""
        if schedule.what is What.KILL:
            return KillFlags((schedule.flag,), by=schedule.by, reason=schedule.comment)
        if schedule.what is What.REVIVE:
            return ReviveFlag(schedule.flag)

        def put(config: dict[str, Any], before: Plain) -> PutFlag:
            limits = self._services.settings.limits
            heartbeat_s = self._services.hubs[self._environment.name].heartbeat_s
            bounds = FlagLimits(limits.flag_bytes, MISSED_BEATS * heartbeat_s)
            checked = read_flag_body(schedule.flag, config, before.get("kill"), bounds)
            catalog = self._services.catalogs[self._environment.name].records
            return PutFlag(schedule.flag, checked.config, catalog, limits.flags)

        return Patch("flag", schedule.flag, schedule.patch, put)
