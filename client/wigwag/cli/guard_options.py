"""What a guard looks at, as options of the command line."""

from typing import Annotated, Any

import typer

Plain = dict[str, Any]

MaxErrorRate = Annotated[
    float | None, typer.Option("--max-error-rate", metavar="SHARE", help="So much may fail: 0.01 is 1 %.")
]
MaxErrorIncrease = Annotated[
    float | None,
    typer.Option("--max-error-increase", metavar="SHARE", help="So much more may fail than with the flag off."),
]
MaxP95Increase = Annotated[
    float | None,
    typer.Option("--max-slowdown", metavar="PART", help="So much slower it may be: 0.5 is half as long again."),
]
MinSamples = Annotated[
    int | None, typer.Option("--min-samples", metavar="NUMBER", help="Runs before a side is judged.  [default: 100]")
]
FalseAlarm = Annotated[
    float | None, typer.Option("--false-alarm", metavar="SHARE", help="The probability of one, at most.")
]


def limits(
    max_error_rate: float | None,
    max_error_increase: float | None,
    max_p95_increase: float | None,
    min_samples: int | None,
    false_alarm: float | None,
) -> Plain:
    """Return what was given, as the API takes it."""
    given = {
        "maxErrorRate": max_error_rate,
        "maxErrorIncrease": max_error_increase,
        "maxP95Increase": max_p95_increase,
        "minSamples": min_samples,
        "falseAlarm": false_alarm,
    }
    return {name: value for name, value in given.items() if value is not None}
