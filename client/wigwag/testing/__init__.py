"""Helpers for the tests of applications: flags without a server, set as a test wants them.

    fake = FakeFlags(new_checkout=True, button="blue")
    with fake.overridden(new_checkout=False): ...

With pytest, the fixture `flags` is a fresh one for every test; see docs/testing.md.
"""

from wigwag.testing.builders import flag, override, rule, segment
from wigwag.testing.fake_flags import FakeFlags

__all__ = ["FakeFlags", "flag", "override", "rule", "segment"]
