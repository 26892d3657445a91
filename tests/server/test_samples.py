"""Samples of contexts: what leaves an app, and that a decision on a sample is the one on the context."""

from typing import Any

import msgspec
from hypothesis import given

from tests.proto.strategies import contexts, flag_tables, flags, segment_tables
from wigwag_proto.evaluate import LinkedFlag, decide
from wigwag_proto.explain import link
from wigwag_proto.records import Records
from wigwag_proto.samples import (
    LARGEST_SAMPLE,
    SAMPLES_LIMIT,
    Sample,
    read_samples_header,
    sample_of,
    samples_header,
    wanted_of,
)
from wigwag_server.samples.compare import Answer, Move, compare
from wigwag_server.samples.walk import Hashed, decide_sample

SALT = bytes(range(32))
ANN: dict[str, Any] = {"userId": "ann@example.com", "plan": "premium", "email": "ann@example.com", "card": "4111 1111"}


def linked(key: str, flags: dict[str, Any], segments: dict[str, Any] | None = None) -> LinkedFlag:
    records = Records()
    for each, plain in flags.items():
        records.set_flag(each, plain)
    for each, plain in (segments or {}).items():
        records.set_segment(each, plain)
    found = link(key, records, {})
    assert found is not None
    return found


def sampled(of: LinkedFlag, attributes: dict[str, Any], private: tuple[str, ...] = ()) -> Sample:
    sample = sample_of(of.flag.key, wanted_of(of, private), attributes, SALT)
    assert sample is not None
    return msgspec.json.decode(msgspec.json.encode(sample), type=Sample)


def rule(attribute: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"attribute": attribute, "operator": operator, "value": value}


@given(flag_tables, flags, segment_tables, contexts)
def test_a_decision_on_a_sample_is_the_one_on_the_context_or_is_not_known(
    table: dict[str, Any], draft: dict[str, Any], segments: dict[str, Any], context: dict[str, Any]
) -> None:
    for key in table:
        before, after = linked(key, table, segments), linked(key, {**table, key: draft}, segments)
        sample = sample_of(key, wanted_of(before), context, SALT)
        if sample is None:
            continue
        sample = msgspec.json.decode(msgspec.json.encode(sample), type=Sample)
        for each in (before, after):
            decision, unknown = decide_sample(each, sample, Hashed(SALT))
            if not unknown:
                real = decide(each, context)
                assert (decision.enabled, decision.reason, decision.variant, decision.bucket, decision.split) == (
                    (real.enabled, real.reason, real.variant, real.bucket, real.split)
                )


def test_what_leaves_an_app_is_what_rules_ask_for_and_of_ids_a_hash() -> None:
    flag = linked(
        "checkout",
        {
            "checkout": {
                "enabled": True,
                "rules": [rule("plan", "equals", "premium"), rule("companyId", "inSegment", "staff")],
                "requires": [{"flag": "cart"}],
                "overrides": [{"name": "x", "rules": [rule("beta", "exists")]}],
            },
            "cart": {"enabled": True, "bucketBy": "basket", "rules": [rule("country", "in", ["DE"])]},
        },
        {"staff": {"include": ["c1"], "rules": [rule("department", "equals", "it")]}},
    )
    sample = sampled(flag, {**ANN, "companyId": "c1", "basket": 7})
    assert sample.attributes == {"plan": "premium", "beta": None, "country": None, "department": None}
    assert sample.ids.keys() == {"userId", "companyId", "basket"}
    assert sample.buckets.keys() == {"checkout", "cart"}
    said = msgspec.json.encode(sample)
    for secret in (b"ann@example", b"4111", b'"c1"', b"email"):
        assert secret not in said


def test_a_private_attribute_leaves_as_a_hash() -> None:
    flag = linked("f", {"f": {"enabled": True, "rules": [rule("email", "endsWith", "@example.com")]}})
    assert sampled(flag, ANN).attributes == {"email": "ann@example.com"}
    hidden = sampled(flag, ANN, private=("email",))
    assert hidden.attributes == {}
    assert hidden.ids.keys() == {"userId", "email"}
    assert decide_sample(flag, hidden, Hashed(SALT))[1] == {"email"}
    same = linked("f", {"f": {"enabled": True, "rules": [rule("email", "equals", "ann@example.com")]}})
    assert decide_sample(same, hidden, Hashed(SALT))[0].enabled


def test_another_key_gives_other_hashes() -> None:
    flag = linked("f", {"f": {}})
    assert sampled(flag, ANN).ids != sample_of("f", wanted_of(flag), ANN, bytes(32)).ids  # type: ignore[union-attr]


def test_a_sample_is_bounded() -> None:
    flag = linked("f", {"f": {"rules": [rule(f"a{n}", "exists") for n in range(20)]}})
    assert sample_of("f", wanted_of(flag), {f"a{n}": "x" * 100 for n in range(20)}, SALT) is None
    long = sampled(linked("f", {"f": {"rules": [rule("a0", "exists")]}}), {"a0": "x" * 1000})
    assert long.attributes == {}
    assert len(msgspec.json.encode(long)) < LARGEST_SAMPLE


def test_the_header_says_how_many_and_with_which_key() -> None:
    assert read_samples_header(samples_header(20, SALT)) == (20, SALT)
    assert read_samples_header(samples_header(10_000, SALT)) == (SAMPLES_LIMIT, SALT)
    for wrong in (None, "", "20", "x ff", "20 zz", "0 " + SALT.hex(), "20 ff", "20 " + "00" * 65):
        assert read_samples_header(wrong) is None


def test_moves_are_counted_by_variant_and_what_is_not_known_is_said() -> None:
    red = {"name": "red", "weight": 1, "value": 1}
    before = linked("f", {"f": {"enabled": True, "rolloutPercentage": 0}})
    after = linked("f", {"f": {"enabled": True, "rules": [rule("userId", "in", ["u1", "u2"])], "variants": [red]}})
    samples = [sampled(before, {"userId": f"u{n}"}) for n in range(5)]
    found = compare(before, after, samples, SALT)
    assert dict(found.moves) == {Move(Answer(False), Answer(False)): 3, Move(Answer(False), Answer(True, "red")): 2}
    assert found.unknown == 0
    other = linked("f", {"f": {"enabled": True, "variants": [{**red, "value": 2}]}})
    values = compare(linked("f", {"f": {"enabled": True, "variants": [red]}}), other, samples, SALT)
    assert dict(values.moves) == {Move(Answer(True, "red"), Answer(True, "red"), value=True): 5}
    asks = linked("f", {"f": {"enabled": True, "rules": [rule("plan", "equals", "premium")]}})
    unknown = compare(before, asks, samples, SALT)
    assert (dict(unknown.moves), unknown.unknown, dict(unknown.missing)) == ({}, 5, {"plan": 5})
