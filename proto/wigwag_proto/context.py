"""Who and what a decision is about: a user id and attributes, built once per request.

An attribute that is None is the same as one that is not there. JSON's null and Python's None mean "we do not know",
and a rule on something unknown must not match (`notEquals` and `notIn` least of all).
"""

from collections.abc import Mapping
from typing import Any, Self

USER_ID = "userId"


class Context:
    """Attributes by their JSON names; the user id is the attribute `userId`, so rules and `bucketBy` can name it.

    A context does not change after it was made. Values may be of any type: what a rule cannot compare, it does not
    match. The user id is a string; an int is taken as its decimal digits where an id is needed (lists, bucketing).
    """

    # The evaluation reads this dict directly: a method in between would cost as much as the decision.
    __slots__ = ("attributes",)

    def __init__(self, user_id: str | None = None, /, **attributes: Any) -> None:
        if user_id is not None:
            attributes[USER_ID] = user_id
        self.attributes: dict[str, Any] = attributes

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Take a JSON object as the attributes. OpenFeature's `targetingKey` is the user id where there is none."""
        context = cls()
        context.attributes.update(plain)
        if plain.get(USER_ID) is None and plain.get("targetingKey") is not None:
            context.attributes[USER_ID] = plain["targetingKey"]
        return context

    def extended(self, attributes: Mapping[str, Any]) -> Self:
        """Return a context with these attributes added; where both name one, the new one counts."""
        context = type(self)()
        context.attributes = {**self.attributes, **attributes}
        return context

    def __eq__(self, other: object) -> bool:
        """Compare by attributes."""
        return isinstance(other, Context) and self.attributes == other.attributes

    __hash__ = None  # type: ignore[assignment]  # attributes may be unhashable

    def __repr__(self) -> str:
        """Name the attributes but not their values: contexts carry personal data, and reprs end in logs."""
        return f"Context({', '.join(map(str, self.attributes))})"
