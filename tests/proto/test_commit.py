"""The text of a cursor, which ids, tags and files carry."""

import pytest

from wigwag_proto.commit import Cursor, Epoch
from wigwag_proto.errors import MalformedCursor


def test_a_cursor_is_read_as_it_is_written() -> None:
    cursor = Cursor(Epoch(1700000000000, "aZ9"), 106, "h")
    assert str(cursor) == "1700000000000.aZ9:106:h"
    assert str(cursor.epoch) == "1700000000000.aZ9"
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["", "5.e:3", "5.e:3:", "5:3:h", "5.e:-3:h", "5.e:3:h\n", " 5.e:3:h", "5.e:٣:h", "5.e:3:h" * 50]
)
def test_what_is_no_cursor_is_refused_in_words(text: str) -> None:
    with pytest.raises(MalformedCursor, match="is not a cursor of the form"):
        Cursor.parse(text)
