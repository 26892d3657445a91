"""README.md and docs/ say what is so: what they show is run, what they name exists, what exists is in them."""

import ast
import json
import re
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from tests.support.processes import server_process
from tests.support.snippets import EXITS, NOT_RUN, RUNS_ON, THE_ANSWER, Block, Reader, blocks
from wigwag import Reason, Settings
from wigwag.cli.app import app as wigwag_command
from wigwag.cli.exits import ExitCode
from wigwag_proto.events import READERS, decode_event
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.rule_checks import ALL_OPERATORS
from wigwag_proto.sse import SseParser
from wigwag_proto.supervisor import Patience
from wigwag_server.__main__ import app as server_command

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = {path.stem: path for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES = [README, ROOT / "CHANGELOG.md", *DOCS.values()]
ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
RUN = ("sh", "python")
SHOWN_ONLY = ("text", "json", "sse")
MARKS = (NOT_RUN, EXITS, RUNS_ON, THE_ANSWER)

LONG_PAGES = ("cli.md", "deploy.md", "runbook.md")

# Each block that is shown and not run, with its first line. A new one needs a reason in the page and a line here.
SHOWN_NOT_RUN = {
    "README.md": [
        "make demo                                            # in a checkout: watch a kill reach an app",
        "wigwag-server --store redis://127.0.0.1:6379/0 --data-dir /var/lib/wigwag",
        "make test    # all tests that fit in five minutes, on SQLite and on a real Redis",
    ],
    "backup.md": [
        "wigwag-server --store sqlite:wigwag.db backup flags.backup",
        "wigwag-server --store redis://127.0.0.1:6379/0 restore --replace flags.backup",
    ],
    "cli.md": ["wigwag import --from redis redis://127.0.0.1:6379/0 --hash feature_flags --dry-run"],
    "guarantees.md": ["make simulate SEEDS=10000", "python -m tests.simulation --seed 4711 --trace"],
    "integrations.md": ["python -m bench.integrations"],
    "relays.md": [
        "WIGWAG_SERVER_KEY=ww_relay_… wigwag-server --upstream https://flags.example --data-dir /var/lib/wigwag \\"
    ],
    "performance.md": ["make bench"],
    "quickstart.md": ['pip install "wigwag[server]"'],
    "settings.md": ["wigwag-server --store redis://127.0.0.1:6379/0 --reuse-port --data-dir /var/lib/wigwag/1 &"],
}
# Tests in tests/faults that have no row in docs/guarantees.md yet, as `test_x.py::test_name`.
NOT_YET_DESCRIBED: frozenset[str] = frozenset()
REPOSITORY_PATH = re.compile(r"`((?:proto|client|server|tests|docs|examples|bench)/[\w./-]+)`")
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROUTE = re.compile(r"^### ([A-Z]+) (/\S+)$", re.MULTILINE)


def text(page: str) -> str:
    return DOCS[page].read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """Return what stands under a heading, up to the next of its level."""
    level = heading.partition(" ")[0]
    _, found, rest = text(page).partition(f"{heading}\n")
    assert found, f"docs/{page}.md has no {heading!r}"
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(part: str) -> list[list[str]]:
    """Return the cells of all tables in a part of a page."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")
    ]


def named(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def runnable_blocks(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in RUN and block.after(NOT_RUN) is None]


def walked(page: Path) -> Any:
    """Return the page as a parameter; one with very many commands takes long."""
    return pytest.param(page, id=page.name, marks=pytest.mark.long if page.name in LONG_PAGES else ())


@pytest.mark.parametrize("page", [walked(page) for page in PAGES if runnable_blocks(page)])
async def test_a_page_works_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    runnable = runnable_blocks(page)
    if any("curl" in block.text for block in runnable) and shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    folder = tmp_path / "server"
    folder.mkdir()
    with server_process(folder) as server:
        reader = Reader(server, tmp_path)
        await reader.read(blocks(page))
    assert set(map(str, runnable)) <= set(map(str, reader.ran))


def test_every_block_is_run_or_says_why_not() -> None:
    for block in ALL_BLOCKS:
        assert block.language in (*RUN, *SHOWN_ONLY), f"{block}: what is {block.language!r}?"
        assert not block.mark or block.mark.startswith(MARKS), f"{block}: what does {block.mark!r} mean?"
        typed = re.search(r"^(?:curl|wigwag|wigwag-server) ", block.text, re.MULTILINE)
        is_transcript = block.text.startswith("$ ")  # of what tests/bench/test_first_minutes.py does
        assert block.language in RUN or is_transcript or not typed, f"{block}: commands belong into a sh block"
    found: dict[str, list[str]] = {}
    for block in ALL_BLOCKS:
        if (why := block.after(NOT_RUN)) is not None:
            assert len(why) > 10, f"{block}: say why it is not run"
            found.setdefault(block.page.name, []).append(block.text.splitlines()[0])
    assert found == SHOWN_NOT_RUN


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.language == "json"], ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.language == "sse"], ids=str)
def test_a_stream_event_is_one_that_a_client_reads(block: Block) -> None:
    (event,) = SseParser().feed(block.text.encode() + b"\n")
    assert decode_event(event) is not None


def test_every_stream_event_has_its_heading_and_example() -> None:
    stream = section("protocol", "## The stream")
    assert re.findall(r"^### (\w+)$", stream, re.MULTILINE) == list(READERS)
    assert re.findall(r"^event: (\w+)$", stream, re.MULTILINE) == list(READERS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}: {sorted(anchors(target))}"
    for path in REPOSITORY_PATH.findall(prose(page)):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of headings, made as GitHub makes them."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(prose(page)))
    return set(headings)


def test_every_page_is_reached_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall(prose(README))}
    assert {f"docs/{page}.md" for page in DOCS} <= linked


def test_the_readme_shows_a_change_live_before_line_30() -> None:
    program = next(block for block in blocks(README) if block.language == "python")
    assert "flags.changes()" in program.text
    assert program.text.rstrip().endswith("asyncio.run(main())")
    assert program.line + len(program.text.splitlines()) < 30


def test_every_route_is_documented_with_curl_and_every_documented_route_exists() -> None:
    tree = ast.parse((ROOT / "server" / "wigwag_server" / "app.py").read_text(encoding="utf-8"))
    routes = {
        (node.func.attr.upper(), str(node.args[0].value))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get", "post", "put", "patch", "delete")
        and isinstance(node.args[0], ast.Constant)
    }
    assert set(ROUTE.findall(text("http-api"))) == routes
    for method, path in routes:
        part = re.split(r"^#+ ", section("http-api", f"### {method} {path}"), maxsplit=1, flags=re.MULTILINE)[0]
        assert re.search(r"```sh\ncurl ", part), f"{method} {path} has no curl example"
        assert re.search(r"^Answers \d", part, re.MULTILINE), f"{method} {path} does not say what it answers"


def options(command: Any) -> dict[str, Any]:
    """Return the options of a command, each with its variable; hidden ones are left out."""
    return {
        name: parameter.envvar
        for parameter in command.params
        if isinstance(parameter, typer.core.TyperOption) and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    } | {"--help": None}


def documented_options(part: str) -> set[str]:
    return {option for row in rows(part) for cell in row[:1] for option in re.findall(r"--[a-z-]+", cell)}


def test_every_option_of_the_server_is_documented_with_its_variable() -> None:
    part = section("settings", "## `wigwag-server`")
    known = options(typer.main.get_command(server_command))
    assert documented_options(part) == known.keys()
    assert {
        names[0]: variable
        for row in rows(part)
        if (names := re.findall(r"--[a-z-]+", row[0]))
        for variable in [*named(row[1]), None][:1]
    } == known
    assert "`WIGWAG_BOOTSTRAP_TOKEN`" in part


def test_every_option_of_the_check_is_documented() -> None:
    check = commands_of(typer.main.get_command(server_command))["wigwag check"]
    assert documented_options(section("deploy", "## Before and after")) == options(check).keys() - {"--help"}


def commands_of(group: Any, name: str = "wigwag") -> dict[str, Any]:
    """Return every command, those of groups included, by what is typed for it."""
    found: dict[str, Any] = {}
    for own, command in group.commands.items():
        is_group = hasattr(command, "commands")
        found |= commands_of(command, f"{name} {own}") if is_group else {f"{name} {own}": command}
    return found


def test_every_option_of_the_command_line_is_documented() -> None:
    part = section("settings", "## `wigwag`")
    group: Any = typer.main.get_command(wigwag_command)
    common = options(group)
    assert documented_options(part) == common.keys()
    for name, command in commands_of(group).items():
        (row,) = [row for row in rows(part) if f"{name} " in f"{named(row[0])[0]} "]
        assert set(re.findall(r"--[a-z-]+", row[1])) == options(command).keys() - common.keys(), name
    codes = set(map(int, re.findall(r"^\| (\d+) \|", part, re.MULTILINE)))
    assert codes == set(ExitCode)


@pytest.mark.parametrize("kind", [Settings, Patience])
def test_every_setting_of_the_client_is_documented_with_its_default(kind: Any) -> None:
    documented = {named(row[0])[0]: row[1] for row in rows(section("settings", "## `FlagClient`"))}
    for each in fields(kind):
        assert each.name in documented
        if isinstance(each.default, (int, float)):
            assert float(documented[each.name]) == each.default, each.name


def test_every_field_reason_and_operator_of_the_model_is_documented_and_no_other() -> None:
    documented = [name for row in rows(section("model", "## A flag")) for name in named(row[0])]
    assert sorted(documented) == sorted(each.encode_name for each in msgspec.structs.fields(Flag))
    reasons = re.findall(r"\| `([A-Z_]+)` \|$", section("model", "## The order of decision"), re.MULTILINE)
    assert set(reasons) == {reason.value for reason in Reason}
    assert [named(row[0])[0] for row in rows(section("model", "## Rules"))] == list(ALL_OPERATORS)
    segments = section("model", "## Segments")
    own = {each.encode_name for each in msgspec.structs.fields(Segment)} - {"createdAt", "updatedAt", "revision"}
    assert own <= set(named(segments))


def names_of_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


def test_every_test_that_a_page_names_exists() -> None:
    for page in PAGES:
        for path, name in TEST.findall(page.read_text(encoding="utf-8")):
            assert (ROOT / path).exists(), f"{page.name} names {path}"
            assert name in names_of_tests(ROOT / path), f"{page.name} names {path}::{name}"


def test_every_row_of_the_guarantees_names_its_tests() -> None:
    lines = [line for line in section("guarantees", "## Fault by fault").splitlines() if line.startswith("| ")]
    faults = [line for line in lines if not line.startswith(("| fault |", "| --- |"))]
    assert len(faults) > 40
    for line in faults:
        assert TEST.search(line.rstrip("| ").rpartition(" | ")[2]), line


def test_every_test_of_a_fault_is_described_in_the_guarantees() -> None:
    described = {f"{Path(path).name}::{name}" for path, name in TEST.findall(text("guarantees"))}
    there = {
        f"{path.name}::{name}" for path in (ROOT / "tests/faults").glob("test_*.py") for name in names_of_tests(path)
    }
    missing = there - described
    assert missing == NOT_YET_DESCRIBED, "give each a row in docs/guarantees.md, or list it as not yet described"


def test_the_figures_of_the_integrations_are_those_of_the_last_run() -> None:
    result = json.loads((ROOT / "bench/results/integrations.json").read_text(encoding="utf-8"))
    part = section("integrations", "## What it costs")
    lines = [f"| {name} | {' | '.join(f'{us:.1f}' for us in row)} |" for name, row in result["calls"].items()]
    assert [line for line in part.splitlines() if re.search(r"\d \|$", line)] == lines
    assert f"took {result['wholeRequest']:.0f} µs." in part
