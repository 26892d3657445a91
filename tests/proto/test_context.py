"""Contexts: attributes by their JSON names."""

from wigwag_proto.context import Context


def test_the_user_id_is_an_attribute_as_well() -> None:
    assert Context("u1", plan="premium").attributes == {"userId": "u1", "plan": "premium"}
    assert Context().attributes == {}
    assert Context(None, userId="u1").attributes == {"userId": "u1"}


def test_a_targeting_key_is_the_user_id_where_there_is_none() -> None:
    assert Context.from_plain({"targetingKey": "t"}).attributes["userId"] == "t"
    assert Context.from_plain({"targetingKey": "t", "userId": None}).attributes["userId"] == "t"
    assert Context.from_plain({"targetingKey": "t", "userId": "u"}).attributes["userId"] == "u"
    assert Context.from_plain({}).attributes == {}


def test_plain_json_is_copied() -> None:
    plain = {"plan": "free"}
    context = Context.from_plain(plain)
    plain["plan"] = "premium"
    assert context.attributes == {"plan": "free"}


def test_extending_gives_a_new_context() -> None:
    context = Context("u1", plan="free")
    assert context.extended({"plan": "premium"}) == Context("u1", plan="premium")
    assert context == Context("u1", plan="free")


def test_a_repr_names_attributes_but_not_their_values() -> None:
    assert repr(Context("ann@example.com", plan="free")) == "Context(plan, userId)"
