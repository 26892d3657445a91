"""Versions and their precedence, by semver.org 2.0.0.

Strict: three numbers, no leading zeros, no `v` in front. Build metadata is permitted and ignored (section 10).
"""

import re
from typing import Any

NUMBER = r"0|[1-9]\d*"
IDENTIFIER = rf"(?:{NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER = re.compile(
    rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-({IDENTIFIER}(?:\.{IDENTIFIER})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
LONGEST = 256

Identifier = tuple[int, int, str]
Version = tuple[int, int, int, int, tuple[Identifier, ...]]


def parse_version(value: Any) -> Version | None:
    """Return a tuple that sorts by precedence, or None where the value is no version of at most 256 characters."""
    match = SEMVER.fullmatch(value) if isinstance(value, str) and len(value) <= LONGEST else None
    if match is None:
        return None
    major, minor, patch, pre_release = match.groups()
    numbers = int(major), int(minor), int(patch)
    if pre_release is None:
        return *numbers, 1, ()  # a release is above all of its pre-releases (section 11.3)
    return *numbers, 0, tuple(_identifier(part) for part in pre_release.split("."))


def _identifier(part: str) -> Identifier:
    """Numbers are below words and compare as numbers; words compare in ASCII order (section 11.4)."""
    return (0, int(part), "") if part.isdigit() else (1, 0, part)
