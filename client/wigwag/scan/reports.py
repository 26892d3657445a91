"""What a scan has found, as lines for people and as annotations of GitHub. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from wigwag.scan.findings import Finding
from wigwag.scan.reference import Reference, Scan


def reference_line(each: Reference) -> str:
    """Return one use as a line that editors and terminals can jump from."""
    what = each.flag if each.flag is not None else f"dynamic: {each.text}"
    where = f" in {each.function}" if each.function else ""
    below = f", below {', '.join(each.within)}" if each.within else ""
    return f"{each.file}:{each.line}:{each.column}: {what} ({each.call}{where}{below})"


def finding_line(each: Finding) -> str:
    """Return what is wrong with one use as a line."""
    return f"{each.file}:{each.line}:{each.column}: {each.level}: {each.message}"


def summary(found: Scan) -> str:
    """Return how much was found, and in how much."""
    static = [each for each in found.references if each.flag is not None]
    dynamic = len(found.references) - len(static)
    made = f", and {dynamic} whose key is made at run time" if dynamic else ""
    flags = len({each.flag for each in static})
    return f"{_many(len(static), 'use')} of {_many(flags, 'flag')}{made}, in {_many(found.files, 'file')}"


def annotations(findings: Iterable[Finding], unread: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield the workflow commands that make GitHub show each finding at its line."""
    for each in findings:
        place = f"file={_property(each.file)},line={each.line},col={each.column}"
        yield f"::{each.level} {place},title={_property(f'wigwag: {each.fault} flag')}::{_message(each.message)}"
    for file, why in unread:
        yield f"::warning file={_property(file)},title=wigwag::{_message(f'cannot be read: {why}')}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _message(text: str) -> str:
    """Escape as GitHub's runner undoes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
