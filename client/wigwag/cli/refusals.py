"""What a server's refusal means for a person: one message, and an exit code. Pure."""

from typing import Any

from wigwag.cli.connection import Server
from wigwag.cli.exits import ExitCode, FlagChanged, NoSuchFlag, Stop
from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed

PROBLEM = "application/problem+json"


def refusal(server: Server, environment: str, status: int, content_type: str, body: bytes) -> Stop:
    """Return what ends the command, for an answer that is not a success."""
    problem = _problem(content_type, body)
    if problem is None:
        return _foreign(server, status, content_type)
    detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
    nearest = problem.get("nearest")
    if status == 404 and isinstance(nearest, list):
        return NoSuchFlag(_no_such_flag(detail, environment, nearest), [str(key) for key in nearest])
    if status in (401, 403):
        origins = f"(The {_kind(server)} is from {server.secret_origin}, the server is {server.url}.)"
        return Stop(f"{detail} {origins}", ExitCode.UNAUTHORISED)
    if status == 412:
        return FlagChanged(detail)
    violations = _violations(problem)
    if violations:
        detail, _, _ = detail.partition(". ")  # what follows in it is the first of them
    return Stop("\n".join([detail, *violations]))


def not_wigwag(server: Server, what: str) -> Stop:
    """Return what ends the command when something else than a wigwag server answers."""
    return Stop(f"what answers at {server.url} ({server.origin}) is not a wigwag server: {what}")


def _problem(content_type: str, body: bytes) -> dict[str, Any] | None:
    if content_type != PROBLEM:
        return None
    try:
        problem = decode(body)
    except Malformed:
        return None
    return problem if isinstance(problem, dict) else None


def _foreign(server: Server, status: int, content_type: str) -> Stop:
    """Return the end for an answer of a proxy in between, or of something else altogether."""
    if status in (502, 503, 504):
        detail = f"HTTP {status} from a proxy in front of {server.url}: the wigwag server behind it does not answer"
        return Stop(detail, ExitCode.UNREACHABLE)
    return not_wigwag(server, f"HTTP {status} ({content_type})")


def _no_such_flag(detail: str, environment: str, nearest: list[Any]) -> str:
    first, _, _ = detail.partition(". ")
    lists = "wigwag segments list" if "no segment" in first else "wigwag flags"
    hint = f"Did you mean {' or '.join(map(str, nearest))}?" if nearest else f"'{lists}' lists what there is."
    return f"{first.removesuffix('.')} in {environment}. {hint}"


def _kind(server: Server) -> str:
    return "key" if server.secret_origin in ("--key", "WIGWAG_KEY") else "token"


def _violations(problem: dict[str, Any]) -> list[str]:
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return []
    return [f"  {e.get('pointer') or 'the body'}: {e.get('detail')}" for e in errors if isinstance(e, dict)]
