"""The results that were written, by name."""

import json
from typing import Any

from bench.registry import BENCHMARKS

Results = dict[str, Any]


def results() -> Results:
    """Return every result that there is."""
    return {
        run.result: json.loads(run.path.read_text(encoding="utf-8"))
        for benchmark in BENCHMARKS
        for run in benchmark.runs
        if run.path.exists()
    }
