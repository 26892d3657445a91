"""What is changed in a module, one thing at a time: a comparison, a constant, a condition, a statement left out.

Left alone is what no decision hangs on: annotations, `__slots__`, docstrings, messages, the values of enums.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.RShift: ast.LShift,
    ast.LShift: ast.RShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
PAIRS = (
    ("min", "max"),
    ("any", "all"),
    ("gt", "ge"),
    ("lt", "le"),
    ("removeprefix", "removesuffix"),
    ("startswith", "endswith"),
)
NAMES = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}
UNTOUCHED = frozenset({"annotation", "returns", "decorator_list", "bases", "keywords", "type_params"})


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    line: int
    before: str
    after: str
    code: CodeType

    def __str__(self) -> str:
        """Return the change on one line."""
        before, after = (" ".join(text.split())[:120] for text in (self.before, self.after))
        return f"{self.line}: {before}  ->  {after}"


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Make every change to a module, each from the original."""
    tree = ast.parse(source)
    for places, index, line in _slots(tree, 0):
        node = places[index]
        for new in _replacements(node):
            places[index] = new
            yield Mutant(line, ast.unparse(node), ast.unparse(new), _compiled(tree, path))
            places[index] = node


def _compiled(tree: ast.Module, path: str) -> CodeType:
    # By way of the text: parts of the original stand in several places of a changed tree.
    return compile(ast.unparse(tree), path, "exec")


class _Field(list[ast.AST]):
    """A field that holds one node, written to like a list."""

    def __init__(self, owner: ast.AST, name: str) -> None:
        super().__init__([getattr(owner, name)])
        self.owner, self.name = owner, name

    def __setitem__(self, index: object, node: object) -> None:
        setattr(self.owner, self.name, node)


def _slots(node: ast.AST, line: int) -> Iterator[tuple[list[ast.AST], int, int]]:
    """Walk through all places of a tree that may be changed."""
    for name, value in ast.iter_fields(node):
        if name in UNTOUCHED and not isinstance(node, ast.Call):
            continue
        places = value if isinstance(value, list) else _Field(node, name) if isinstance(value, ast.AST) else []
        for index, child in enumerate(list(places)):
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                at = getattr(child, "lineno", line)
                yield places, index, at
                yield from _slots(child, at)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr() | ast.Raise() | ast.Expr(ast.Constant()):
            return True
        case ast.ClassDef(bases=[ast.Name("Enum" | "StrEnum")]):
            return True
        case ast.Assign([ast.Name("__slots__")]):
            return True
    return False


def _replacements(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901, PLR0912  # one case for each sort of change
    match node:
        case ast.Compare(left, ops, comparators):
            for i, op in enumerate(ops):
                for new in COMPARED[type(op)]:
                    yield ast.Compare(left, [*ops[:i], new(), *ops[i + 1 :]], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for i in range(len(values)):
                rest = values[:i] + values[i + 1 :]
                yield ast.BoolOp(op, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if type(operator) in COMPUTED:
            yield ast.BinOp(left, COMPUTED[type(operator)](), right)
        case ast.AugAssign(target, operator, right) if type(operator) in COMPUTED:
            yield ast.AugAssign(target, COMPUTED[type(operator)](), right)
            yield ast.Pass()
        case ast.Constant(value):
            yield from map(ast.Constant, _other_values(value))
        case ast.Return(value) if value is not None and ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.If(_, body, orelse):
            yield ast.If(ast.Constant(True), body, orelse)
            yield ast.If(ast.Constant(False), body, orelse)
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.comprehension(target, iterated, [_, *_], is_async):
            yield ast.comprehension(target, iterated, [], is_async)
        case ast.match_case(pattern, guard, body) if guard is not None:
            yield ast.match_case(pattern, None, body)
        case ast.Expr(ast.Call()) | ast.Assign([ast.Attribute() | ast.Subscript() | ast.Tuple(), *_]):
            yield ast.Pass()
        case ast.Name(name, context) if name in NAMES:
            yield ast.Name(NAMES[name], context)
        case ast.Attribute(value, name, context) if name in NAMES:
            yield ast.Attribute(value, NAMES[name], context)


def _other_values(value: object) -> Iterator[bool | int | float | str | bytes]:
    match value:
        case bool():
            yield not value
        case int() | float():
            yield value + 1
            if value > 1:
                yield value - 1
        case str():
            yield "XX" + value
        case bytes():
            yield b"XX" + value
