"""`wigwag export`, `import`, `diff` and `validate`."""

import json
from pathlib import Path

from redis import Redis

from tests.client.cli.conftest import Wigwag
from tests.support.redis_server import RedisServer

PREMIUM = "plan equals premium"


def written(folder: Path, text: str, name: str = "flags.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_what_is_exported_is_imported_elsewhere_and_is_the_same(wigwag: Wigwag, key: str, tmp_path: Path) -> None:
    name = f"copy-{key}"
    wigwag(
        "segments",
        "set",
        f"{key}.team",
        "--include",
        "NO",
        "--include",
        "0123",
        "--rule",
        "since before 2026-01-01T00:00:00Z",
    )
    wigwag("set", key, "--on", "--rollout", "12.5", "--rule", PREMIUM, "--rule", f"userId inSegment {key}.team")
    wigwag("set", f"{key}.off", "--off", "--description", "a: b # c\nd — e")
    wigwag("environments", "create", name)
    for file in (tmp_path / "all.yaml", tmp_path / "all.json"):
        ran = wigwag("export", str(file))
        assert (ran.code, ran.out) == (0, "")
        assert ran.err.startswith("exported ")
        assert f"of production into {file}" in ran.err
        assert wigwag("validate", str(file)).out == f"{file}: valid\n"
        ran = wigwag("import", str(file), "--yes", "--replace", "-e", name)
        assert ran.code == 0, ran
        assert wigwag("environments", "compare", "production", name, "--exit-code").code == 0
    assert wigwag("import", str(file), "--yes", "-e", name).out == f"{name} is like that already\n"
    wigwag("environments", "delete", name, "--yes")


def test_an_export_to_standard_output_is_yaml_or_json(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    assert f"  {key}: {{enabled: true}}\n" in wigwag("export").out
    assert json.loads(wigwag("export", "--json").out)["flags"][key] == {"enabled": True}


def test_import_shows_what_it_would_do_and_asks(wigwag: Wigwag, key: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"flags:\n  {key}:\n    enabled: true\n    rolloutPercentage: 10\n")
    ran = wigwag("import", file, "--dry-run")
    assert ran.out == (
        f"+ {key}: added\n    switch: on\n    rollout: 10%\nnothing was changed: this is what it would do\n"
    )
    assert wigwag("show", key).code == 5
    ran = wigwag("import", file)
    assert (ran.code, "wigwag import … --yes" in ran.err) == (2, True)
    ran = wigwag("import", file, "--yes", "--comment", "from Git")
    assert ran.out.endswith("imported into production: 1 new\n")
    assert "“from Git”" in wigwag("history", key).out


def test_diff_tells_whether_an_environment_is_as_the_file_says(wigwag: Wigwag, key: str, tmp_path: Path) -> None:
    wigwag("set", key, "--on", "--allow", "ann")
    same = written(tmp_path, f"flags: {{{key}: {{enabled: true, whitelist: [ann]}}}}", "same.yaml")
    other = written(tmp_path, f"flags: {{{key}: {{enabled: true, whitelist: [bob]}}}}", "other.yaml")
    ran = wigwag("diff", same, "--exit-code")
    assert (ran.code, ran.out) == (0, f"production is as {same} says\n")
    ran = wigwag("diff", other, "--exit-code")
    assert (ran.code, ran.out) == (1, f"~ {key}: changed\n    always on: +bob -ann\n")
    assert wigwag("diff", other).code == 0
    assert json.loads(wigwag("diff", other, "--json").out)["dryRun"] is True
    assert json.loads(wigwag("show", key, "--json").out)["whitelist"] == ["ann"]


def test_validate_names_everything_that_is_wrong(bare_wigwag: Wigwag, tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "flags:\n"
        "  checkout: {enabled: yes, rolloutPercentge: 10}\n"
        "  'no such key!': {}\n"
        "  dead: {killSwitch: true}\n"
        "extra: 1\n",
    )
    ran = bare_wigwag("validate", file)
    assert ran.code == 1
    assert (
        "/flags/checkout/rolloutPercentge: unknown field 'rolloutPercentge'; did you mean 'rolloutPercentage'?"
        in ran.out
    )
    assert "/flags/checkout/enabled: must be true or false, not a string" in ran.out
    assert "/flags/no such key!: a key has" in ran.out
    assert "/flags/dead/killSwitch: cannot be imported" in ran.out
    assert "/extra: unknown field" in ran.out
    assert ran.err == "wigwag: 5 problems\n"
    assert len(json.loads(bare_wigwag("validate", file, "--json").out)["errors"]) == 5


def test_validate_follows_references_unless_the_file_is_a_part(bare_wigwag: Wigwag, tmp_path: Path) -> None:
    rule = "{attribute: userId, operator: inSegment, value: staff}"
    file = written(tmp_path, f"flags:\n  one: {{rules: [{rule}], requires: [{{flag: two}}]}}\n")
    ran = bare_wigwag("validate", file)
    assert (ran.code, "unknown segment 'staff'" in ran.out, "unknown flag 'two'" in ran.out) == (1, True, True)
    assert bare_wigwag("validate", file, "--partial").code == 0


def test_a_file_that_cannot_be_read_is_named(bare_wigwag: Wigwag, tmp_path: Path) -> None:
    twice = written(tmp_path, "flags:\n  a: {}\n  a: {}\n")
    ran = bare_wigwag("validate", twice)
    assert (ran.code, ran.err) == (2, f"wigwag: {twice} is not YAML that can be used in line 3: 'a' stands twice\n")
    twice = written(tmp_path, '{"flags": {"a": {}, "a": {}}}', "twice.json")
    assert "'a' stands twice" in bare_wigwag("validate", twice).err
    assert "cannot be read: No such file" in bare_wigwag("validate", str(tmp_path / "none.yaml")).err
    assert "is to hold an object" in bare_wigwag("validate", written(tmp_path, "- 1\n")).err
    assert bare_wigwag("validate", written(tmp_path, "a: !!python/object:os.system {}\n")).code == 2


def test_a_redis_hash_is_imported(wigwag: Wigwag, key: str, redis_server: RedisServer) -> None:
    with Redis.from_url(redis_server.url) as redis:
        redis.hset(
            "feature_flags",
            mapping={
                f"{key}.ui": json.dumps(
                    {"enabled": True, "rolloutPercentage": 10, "whitelist": ["u1"], "colour": "red"}
                ),
                f"{key}.dead": json.dumps({"enabled": True, "killSwitch": True}),
                f"{key}.bad": "{not json",
                f"{key} odd": "{}",
            },
        )
    ran = wigwag("import", "--from", "redis", redis_server.url, "--yes")
    assert ran.code == 0, ran
    assert f"{key}.ui: colour: wigwag has no such field" in ran.err
    assert f"{key}.ui: which users are in: the share of users is the same" in ran.err
    assert f"{key}.dead: killSwitch: an import does not kill, so the flag arrives with its switch off" in ran.err
    assert f"{key}.bad: the whole flag: it is not JSON" in ran.err
    assert f"{key} odd: the whole flag: a key has" in ran.err
    assert json.loads(wigwag("show", f"{key}.ui", "--json").out)["whitelist"] == ["u1"]
    assert json.loads(wigwag("show", f"{key}.dead", "--json").out)["enabled"] is False
    assert wigwag("show", f"{key}.bad").code == 5
    ran = wigwag("import", "--from", "redis", redis_server.url, "--hash", "none", "--yes")
    assert (ran.code, "there is no hash 'none'" in ran.err) == (1, True)


def test_an_import_says_where_it_cannot_come_from(wigwag: Wigwag, tmp_path: Path) -> None:
    secret = "redis://user:s3cret@127.0.0.1:1/0"
    ran = wigwag("import", "--from", "redis", secret, "--yes")
    assert (ran.code, "s3cret" in ran.err) == (3, False)
    assert "wigwag import --from redis" in wigwag("import", secret).err
    assert wigwag("import", "--from", "launchpad", "x").code == 2
    assert wigwag("import", "--from", "redis", "file.yaml").code == 2
