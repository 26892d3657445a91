"""The percentage of several ramps over time, as one picture that brings no script and no style of its own. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from wigwag_server.ui.words import iso, percent

WIDTH, HEIGHT, FOOT, LEFT = 720, 190, 24, 58
TOP = 8  # a line at 100 % is not to be cut in half
# So many lines can be told apart, each by its colour and by its dashes.
MOST_LINES = 6
GRID = (0, 50, 100)


@dataclass(frozen=True, slots=True)
class Line:
    """A ramp: by when it had which percentage (Unix ms, ascending), the last of which it has now."""

    flag: str
    points: Sequence[tuple[float, float]]


def line_of(flag: str, history: Sequence[Mapping[str, Any]], now_share: float) -> Line:
    """Return the percentage over time, as the history of the flag (newest first) tells it."""
    points: list[tuple[float, float]] = []
    for item in reversed(history):
        for change in item["changes"]:
            if change["field"] != "rolloutPercentage" or not _is_share(change.get("after")):
                continue
            if not points and item["what"] != "created" and _is_share(change.get("before")):
                points.append((0, change["before"]))
            points.append((item["at"], change["after"]))
    return Line(flag, points or [(0, now_share)])


def ramp_chart(lines: Sequence[Line], since: float, until: float) -> Markup:
    """Return the lines over the time between two moments. Of a line, what was before its first point is left open."""
    said = ", ".join(f"{line.flag} at {percent(line.points[-1][1])}" for line in lines)
    drawn = [_line(line, index, since, until) for index, line in enumerate(lines[:MOST_LINES])]
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="Percentage over time: {}">{}</svg>'
    ).format(WIDTH, HEIGHT, said, Markup("").join([*_grid(), *_times(since, until), *drawn]))


def key(index: int) -> Markup:
    """Return how a line looks, for beside its name; nothing for one that is not drawn."""
    if index >= MOST_LINES:
        return Markup("")
    return Markup(
        '<svg class="key" viewBox="0 0 26 10" aria-hidden="true">'
        '<line class="ramp-{}" x1="0" y1="5" x2="26" y2="5"/></svg>'
    ).format(index)


def _line(line: Line, index: int, since: float, until: float) -> Markup:
    begun = [point for point in line.points if point[0] <= since]
    steps = [point for point in line.points if since < point[0] <= until]
    share = begun[-1][1] if begun else None
    path = [] if share is None else [(_x(since, since, until), share)]
    for at, after in steps:
        if share is not None:
            path.append((_x(at, since, until), share))
        path.append((_x(at, since, until), after))
        share = after
    if share is not None:
        path.append((WIDTH, share))
    return Markup('<polyline class="ramp-{}" points="{}"/>').format(
        index, " ".join(f"{x:.1f},{_y(each):.1f}" for x, each in path)
    )


def _grid() -> list[Markup]:
    line = Markup(
        '<line class="grid-line" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
        '<text x="{3}" y="{4:.1f}" text-anchor="end">{5} %</text>'
    )
    return [line.format(LEFT, WIDTH, _y(each), LEFT - 6, _y(each) + 4, each) for each in GRID]


def _times(since: float, until: float) -> list[Markup]:
    text = Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
    return [
        text.format(_x(at, since, until), HEIGHT - 5, anchor, iso(at)[5:16].replace("T", " "))
        for at, anchor in ((since, "start"), ((since + until) / 2, "middle"), (until, "end"))
    ]


def _x(at: float, since: float, until: float) -> float:
    return LEFT + (WIDTH - LEFT) * (at - since) / max(1.0, until - since)


def _y(share: float) -> float:
    return TOP + (HEIGHT - FOOT - TOP) * (1 - share / 100)


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
