"""Pictures of how a flag was decided, as SVG that brings no script and no style of its own. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from wigwag_server.ui.words import count, iso, percent

WIDTH, HEIGHT, FOOT = 720, 180, 18
HEAD = 16  # the highest column is not to stand in its own number
SPARK_WIDTH, SPARK_HEIGHT, SPARKS = 96, 22, 24
COLUMNS = 96
RECT = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
TEXT = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')


def sparkline(usage: Mapping[str, Any]) -> Markup:
    """Return the last hour in a few pixels: how often, and how much of it was on."""
    columns = _columns(usage, SPARKS)
    bars = _bars(columns, SPARK_WIDTH / SPARKS, SPARK_HEIGHT)
    said = f"{count(usage['total'])} evaluations in the last hour, {percent(usage['enabledPercent'] or 0)} on"
    return Markup('<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        SPARK_WIDTH, SPARK_HEIGHT, said, bars
    )


def chart(usage: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Markup:
    """Return on and off over time, with the percentage as a line and every change and kill marked on it."""
    columns = _columns(usage, COLUMNS)
    top = max((on + off for on, off in columns), default=0)
    height = HEIGHT - FOOT
    bars = _bars(columns, WIDTH / COLUMNS, height, HEAD)
    said = (
        f"{count(usage['total'])} evaluations, {percent(usage['enabledPercent'])} on"
        if usage["total"]
        else "No evaluations"
    )
    parts = [bars, _line(usage, history, height), *_marks(usage, history, height), *_axis(usage, top)]
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, said, Markup("").join(parts)
    )


def _columns(usage: Mapping[str, Any], number: int) -> list[tuple[int, int]]:
    """Return on and off in equal stretches of the time that is shown."""
    begin, end = usage["from"], usage["until"]
    span = max(1, end - begin)
    sums = [[0, 0] for _ in range(number)]
    for bucket in usage["buckets"]:
        place = min(number - 1, max(0, (bucket["at"] - begin) * number // span))
        sums[place][0] += bucket["enabled"]
        sums[place][1] += bucket["disabled"]
    return [(on, off) for on, off in sums]


def _bars(columns: Sequence[tuple[int, int]], width: float, height: float, head: float = 0) -> Markup:
    """Return a column for each stretch: what was on from the bottom up, what was off on top of it."""
    top = max((on + off for on, off in columns), default=0) or 1
    parts = []
    for index, (on, off) in enumerate(columns):
        lit, dark = (height - head) * on / top, (height - head) * off / top
        for name, base, tall in (("on", height - lit, lit), ("off", height - lit - dark, dark)):
            if tall:
                parts.append(RECT.format(name, index * width, base, width - 1, tall))
    return Markup("").join(parts)


def _line(usage: Mapping[str, Any], history: Sequence[Mapping[str, Any]], height: float) -> Markup:
    """Return the rollout percentage as steps: what it was before the oldest change that is known stays open."""
    steps = [
        (item["at"], None if item["what"] == "created" else change["before"], change["after"])
        for item in sorted(history, key=lambda item: item["at"])
        for change in item["changes"]
        if change["field"] == "rolloutPercentage" and "after" in change
    ]
    steps = [(at, old, new) for at, old, new in steps if _is_share(new) and (old is None or _is_share(old))]
    if not steps:
        return Markup("")
    share = steps[0][1]
    points = [] if share is None else [(0.0, share)]
    for at, _, new in steps:
        left = _left(usage, at)
        if share is None:
            points = [(max(0.0, left), new)]
        elif left > 0:
            points += [(left, share), (left, new)]
        else:
            points = [(0.0, new)]
        share = new
    points.append((WIDTH, share))
    path = " ".join(f"{x:.1f},{height - height * y / 100:.1f}" for x, y in points)
    return Markup('<polyline class="rollout" points="{}"/>').format(path)


def _marks(usage: Mapping[str, Any], history: Iterable[Mapping[str, Any]], height: float) -> Iterable[Markup]:
    for item in history:
        left = _left(usage, item["at"])
        if 0 <= left <= WIDTH:
            title = f"{item['what']} by {item['by']}, {iso(item['at'])}"
            yield Markup(
                '<g class="mark {}"><title>{}</title><line x1="{:.1f}" x2="{:.1f}" y1="0" y2="{}"/>'
                '<circle cx="{:.1f}" cy="4" r="4"/></g>'
            ).format(item["what"], title, left, left, height, left)


def _axis(usage: Mapping[str, Any], top: int) -> Iterable[Markup]:
    if top:
        yield TEXT.format(WIDTH - 4, 12, "end", count(top))
    for place, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        at = usage["from"] + (usage["until"] - usage["from"]) * place
        yield TEXT.format(WIDTH * place, HEIGHT - 4, anchor, iso(at)[5:16].replace("T", " "))


def _left(usage: Mapping[str, Any], at: float) -> float:
    return float(WIDTH * (at - usage["from"]) / max(1, usage["until"] - usage["from"]))


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
