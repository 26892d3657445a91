"""The results that were written, by name."""

import json
from typing import Any

from bench.registry import RESULTS

Results = dict[str, Any]


def results() -> Results:
    """Return every result that there is."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
