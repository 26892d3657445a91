"""The response header for debugging: what the flags decided in a request.

    Wigwag-Decisions: checkout=on;reason=ROLLOUT;variant=blue, search=off;reason=KILLED

It tells whoever reads it what flags there are, and which side they are on. So nothing sends it unasked.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from wigwag_proto.decision import Decision, Reason
from wigwag_proto.outcome import Outcome

NAME = "Wigwag-Decisions"
LONGEST = 4096  # bytes; servers and proxies refuse answers whose headers are too long

R = TypeVar("R")
Trusts = Callable[[R], bool]


def header_value(decided: Mapping[str, Outcome | Decision | None]) -> str:
    """Return the header's value: one member a flag, in the order in which they were asked. What is too long is cut.

    Names come from people and from requests, so whatever could end a header, or begin another, is percent-encoded.
    """
    members: list[str] = []
    length = 0
    for key, result in decided.items():
        member = f"{_token(key)}={_said(result)}"
        length += len(member) + 2
        if length > LONGEST:
            members.append("cut")
            break
        members.append(member)
    return ", ".join(members)


def _said(result: Outcome | Decision | None) -> str:
    if result is None:
        return f"default;reason={Reason.UNKNOWN_FLAG}"
    variant = "" if result.variant is None else f";variant={_token(result.variant.name)}"
    return f"{'on' if result.enabled else 'off'};reason={result.reason}{variant}"


def _token(text: Any) -> str:
    return quote(str(text)[:128], safe="", errors="replace")
