"""The query of a request, read strictly: with a misspelt `dryRun`, a trial would be a write."""

from collections.abc import Collection
from http import HTTPStatus

from aiohttp import web

from wigwag_proto.problems import shown, unknown_name
from wigwag_server.problems import Problem

LONGEST = 1000


class Parameters:
    """What a request says in its URL. Collects what is wrong, all of it; `refuse` then ends the request.

    `environment` is always known. Parameters named in `lists` may be repeated.
    """

    def __init__(self, request: web.Request, *names: str, lists: Collection[str] = ()) -> None:
        self._query = request.query
        self.found: list[dict[str, str]] = []
        known = ("environment", *names, *lists)
        for name in dict.fromkeys(request.query):
            if name not in known:
                self.add(name[:LONGEST], unknown_name("parameter", name, known))
            elif name not in lists and len(request.query.getall(name)) > 1:
                self.add(name, "is given more than once; which one is meant?")
            elif any(len(value) > LONGEST or not _is_text(value) for value in request.query.getall(name)):
                self.add(name, f"must be readable text of at most {LONGEST} characters")

    def add(self, name: str, message: str) -> None:
        """Note a problem."""
        self.found.append({"parameter": name, "detail": message})

    def text(self, name: str) -> str | None:
        """Return a parameter; None where it is not given."""
        return self._query.get(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that may be repeated."""
        return tuple(self._query.getall(name, ()))

    def chosen(self, name: str, among: Collection[str]) -> tuple[str, ...]:
        """Return all values of a parameter, each of which must be one of these."""
        values = self.texts(name)
        for value in values:
            if value not in among:
                self.add(name, unknown_name("value", value, among))
        return values

    def switch(self, name: str) -> bool:
        """Return whether a parameter is `true`."""
        value = self._query.get(name, "false")
        if value not in ("true", "false"):
            self.add(name, f"must be true or false, not {shown(value)}")
        return value == "true"

    def number(self, name: str, default: int | None, *, least: int, most: int) -> int | None:
        """Return a whole number within bounds."""
        text = self._query.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdecimal() and len(text) <= 19 and least <= int(text) <= most:
            return int(text)
        self.add(name, f"must be a whole number from {least:,} to {most:,}, not {shown(text)}")
        return default

    def refuse(self) -> None:
        """Raise Problem (422) with everything that is wrong in the URL, if anything is."""
        if self.found:
            detail = "The URL has parameters that this route does not understand. They are listed under errors."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, violations=self.found)


def _is_text(value: str) -> bool:
    """Say whether a value can be stored and sent: it has no NUL, and was UTF-8."""
    return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
