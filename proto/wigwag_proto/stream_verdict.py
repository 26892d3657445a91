"""What a probe of a server means, in plain words. Pure; `stream_probe_io` is what looks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wigwag_proto.findings import Finding, ok, warning, wrong

# Heartbeats and hellos may be so much later than a plain answer took, before somebody is holding them back.
HELD_BACK_S = 1.0
SKEW_S = 5.0
EXPIRES_SOON_DAYS = 14
HOW_NOT_TO_BUFFER = (
    "Switch buffering and compression off for /v1/stream in the proxy between (nginx: proxy_buffering off, gzip off, "
    "and proxy_ignore_headers must not name X-Accel-Buffering; Caddy: flush_interval -1). docs/deploy.md has both."
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one plain request. `skew_s` is how far the server's clock is ahead; 0 where it cannot be told."""

    status: int | None = None
    took_s: float = 0.0
    skew_s: float | None = None
    body: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    expires: str = ""  # of the certificate, as ssl tells it: "Jan  5 09:34:43 2030 GMT"
    error: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """What became of a stream. The times are seconds since its request was sent."""

    status: int | None = None
    detail: str = ""
    content_type: str = ""
    encoding: str = ""
    via: str = ""
    head_s: float | None = None
    first_s: float | None = None
    beats_s: tuple[float, ...] = ()
    heartbeat_s: float | None = None
    error: str = ""
    watched_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Probe:
    """All that was seen of a server. What was not asked, because nothing answers there, is empty."""

    health: Answered
    ready: Answered = field(default_factory=Answered)
    version: str = ""
    snapshot: Answered = field(default_factory=Answered)
    stream: Stream = field(default_factory=Stream)


def findings_of(probe: Probe, url: str, own_version: str, now: float) -> list[Finding]:
    """Judge a probe of the server at `url`; `now` is Unix time."""
    reached = _reached(probe.health, url)
    if reached is not None:
        return [reached]
    return [
        ok("server", f"{url} answers within {probe.health.took_s * 1000:.0f} ms"),
        *_certificate(probe.health, now),
        *_versions(probe.version, own_version),
        _clock(probe.health),
        *_ready(probe.ready),
        _key(probe.snapshot),
        *(_stream(probe) if probe.snapshot.status == 200 else ()),
    ]


def _reached(health: Answered, url: str) -> Finding | None:
    """Return what keeps everything from working; None where nothing does."""
    if health.error:
        mend = "Is the server running, is the address right, and does a firewall let this machine through?"
        if "certificate" in health.error:
            mend = "Give the server a certificate for this name, by an authority that this machine trusts."
        return wrong("server", f"{url} cannot be reached: {health.error}", mend)
    if health.status is not None and 300 <= health.status < 400:
        mend = "Clients do not follow redirects, since a key would go with them: give them that address."
        return wrong("server", f"{url} redirects to {health.location or 'elsewhere'}", mend)
    if health.status != 200 or health.body.get("status") != "ok":
        mend = "Something else than wigwag answers there, or a proxy whose server is down: look at both."
        return wrong("server", f"{url}/healthz answers HTTP {health.status}, and not as wigwag does", mend)
    return None


def _certificate(health: Answered, now: float) -> Iterator[Finding]:
    if health.expires:
        yield expiry(health.expires, now)


def expiry(expires: str, now: float, check: str = "certificate") -> Finding:
    """Judge until when a certificate is good; `expires` is as ssl tells it, `now` is Unix time."""
    end = datetime.strptime(expires, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)
    days = (end.timestamp() - now) / 86_400
    words = f"good until {end:%Y-%m-%d}"
    if days < 0:
        return wrong(check, f"it has expired on {end:%Y-%m-%d}", "Renew it, and restart the server that holds it.")
    if days < EXPIRES_SOON_DAYS:
        return warning(
            check, f"{words}, which is in {days:.0f} days", "Renew it, and restart the server that holds it."
        )
    return ok(check, words)


def _versions(theirs: str, ours: str) -> Iterator[Finding]:
    if theirs and theirs != ours:
        mend = "They understand each other, but what is new in one is not in the other: bring the older up to date."
        yield warning("versions", f"the server is wigwag {theirs}, here is {ours}", mend)
    elif theirs:
        yield ok("versions", f"wigwag {ours}, here and there")


def _clock(health: Answered) -> Finding:
    if health.skew_s is None:
        return warning("clock", "the server's answers have no date", "A proxy between takes it away: let it pass.")
    if abs(health.skew_s) > SKEW_S:
        mend = (
            "Have both set by NTP (timedatectl, chronyc tracking). Flags arrive all the same, but times in rules, in "
            "logs and in the audit log do not agree."
        )
        ahead = "ahead of" if health.skew_s > 0 else "behind"
        return warning("clock", f"the server's is {abs(health.skew_s):.0f} s {ahead} the one here", mend)
    return ok("clock", "the server's agrees with the one here to a second or two")


def _ready(ready: Answered) -> Iterator[Finding]:
    reasons = [
        f"{name}: {each.get('lastError') or 'not proven to be current'}"
        for name, each in {**ready.body.get("environments", {}), "_system": ready.body.get("system")}.items()
        if isinstance(each, dict) and each.get("degraded")
    ]
    if ready.status == 200 and not reasons:
        yield ok("ready", "the server is current, and takes traffic")
    elif ready.status == 200:
        what = f"this relay serves what it knows: {'; '.join(reasons)}"
        yield warning("ready", what, f"Look at its upstream, {ready.body.get('upstream')}, and at the way there.")
    elif ready.body:
        if ready.body.get("draining"):
            reasons.append("it is shutting down")
        if number := ready.body.get("failedTasks"):
            reasons.append(f"{number} of its background tasks have failed: its log says which")
        mend = "It serves what it knows. Look at its store, and at its log."
        yield warning("ready", f"the server says that it is not ready: {'; '.join(reasons) or 'no reason given'}", mend)
    else:
        mend = "A proxy between does not let /readyz through; ask the server itself."
        yield warning("ready", f"/readyz cannot be asked here (HTTP {ready.status})", mend)


def _key(snapshot: Answered) -> Finding:
    if snapshot.error:
        return wrong("key", f"the state cannot be read: {snapshot.error}", "Try again, and look at the server's log.")
    if snapshot.status == 200 and isinstance(snapshot.body.get("cursor"), str):
        flags = snapshot.body.get("flags")
        count = f", which has {len(flags)} flag{'' if len(flags) == 1 else 's'}" if isinstance(flags, dict) else ""
        return ok("key", f"good for {snapshot.body.get('environment')}{count}")
    detail = str(snapshot.body.get("detail", ""))
    if snapshot.status in (401, 403):
        mend = "Make one by `wigwag keys create server --name …` on that very server, and give it whole to the app."
        return wrong("key", f"the server refuses it (HTTP {snapshot.status}): {detail or 'without a word'}", mend)
    mend = "Look at the server's log, and at proxies between that answer in its place."
    return wrong("key", f"the state cannot be read: HTTP {snapshot.status} {detail}".rstrip(), mend)


def _stream(probe: Probe) -> Iterator[Finding]:
    stream = probe.stream
    plain_s = max(probe.health.took_s, probe.snapshot.took_s)
    if stream.encoding:
        mend = f"Compression holds events back, and gains nothing on small ones. {HOW_NOT_TO_BUFFER}"
        yield warning("compression", f"a proxy compresses the stream ({stream.encoding})", mend)
    if stream.status is not None and (stream.status != 200 or stream.content_type != "text/event-stream"):
        what = f"/v1/stream answers HTTP {stream.status} {stream.detail or stream.content_type}"
        yield wrong("stream", what, "A proxy between lets plain requests through and this one not: look at its rules.")
    elif stream.first_s is None and not stream.error:
        how = "its head came, and no event" if stream.head_s is not None else "not even its head came"
        what = f"a proxy holds the stream back: {how} within {stream.watched_s:.1f} s{_by(stream)}"
        yield wrong("buffering", f"{what}. Apps poll every 5 s in place of being told at once", HOW_NOT_TO_BUFFER)
    elif stream.first_s is None or not stream.beats_s:
        what = f"the stream cannot be followed: {stream.error or 'no heartbeat came'}"
        yield wrong("stream", what, "Look at the proxy between: it must speak HTTP/1.1 to the server and not time out.")
    else:
        yield from _beats(stream, plain_s)


def _beats(stream: Stream, plain_s: float) -> Iterator[Finding]:
    first, *later = stream.beats_s
    late_s = first - plain_s
    if late_s > HELD_BACK_S:
        what = f"the first heartbeat is sent at once, and came after {first:.1f} s{_by(stream)}"
        yield wrong("buffering", f"a proxy holds the stream back: {what}", HOW_NOT_TO_BUFFER)
    else:
        yield ok("buffering", f"none: the first heartbeat came after {first * 1000:.0f} ms")
    heartbeat_s = stream.heartbeat_s or 0.0
    if not later:
        what = f"no second heartbeat came in {stream.watched_s - first:.1f} s, where one is due every {heartbeat_s:g} s"
        what += f": {stream.error}" if stream.error else ""
        yield wrong("heartbeats", what, "A proxy ends or starves streams: raise its time-outs for reading to minutes.")
    elif later[0] - first > heartbeat_s + HELD_BACK_S:
        what = f"{later[0] - first:.1f} s lay between two, where one is due every {heartbeat_s:g} s"
        yield warning("heartbeats", what, HOW_NOT_TO_BUFFER)
    else:
        yield ok("heartbeats", f"in time, every {heartbeat_s:g} s")


def _by(stream: Stream) -> str:
    return f" (it calls itself {stream.via!r})" if stream.via else ""
