"""Uses of flags in one Python module, by its syntax tree."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from wigwag.scan.calls import ASKING, asks, is_client, is_client_annotation, names_flags
from wigwag.scan.constants import Constants, dotted, keys_of
from wigwag.scan.reference import Reference

LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@dataclass
class Scope:
    """What is known inside one function (or module)."""

    name: str = ""
    clients: set[str] = field(default_factory=set)
    methods: dict[str, str] = field(default_factory=dict)  # a name for `flags.is_enabled`
    texts: dict[str, str | None] = field(default_factory=dict)  # None: assigned more than once
    answers: dict[str, tuple[str, ...]] = field(default_factory=dict)  # a name for what flags have said


def references_in(
    file: str, module: str, tree: ast.Module, constants: Constants, own: Collection[str] = ()
) -> list[Reference]:
    """Return every use of a flag in a module, in the order of the text. `own` are functions that take a key first."""
    reader = _Reader(file, module, constants, own)
    reader.block(tree.body)
    return sorted(reader.found, key=lambda each: (each.line, each.column))


class _Reader(ast.NodeVisitor):
    def __init__(self, file: str, module: str, constants: Constants, own: Collection[str]) -> None:
        self.found: list[Reference] = []
        self._file = file
        self._module = module
        self._constants = constants
        self._own = own
        self._scopes = [Scope()]
        self._within: tuple[str, ...] = ()

    # Blocks: what stands under a flag.

    def block(self, statements: list[ast.stmt]) -> None:
        """Read statements; what follows `if not flags.is_enabled("a"): return` stands under that flag."""
        outside = self._within
        for statement in statements:
            self.visit(statement)
            if isinstance(statement, ast.If) and statement.body and isinstance(statement.body[-1], LEAVING):
                self._within = (*self._within, *self._flags_in(statement.test))
        self._within = outside

    def _under(self, flags: tuple[str, ...], statements: list[ast.stmt]) -> None:
        outside, self._within = self._within, (*self._within, *flags)
        self.block(statements)
        self._within = outside

    def visit_If(self, node: ast.If | ast.While) -> None:
        self.visit(node.test)
        flags = self._flags_in(node.test)
        self._under(flags, node.body)
        self._under(flags, node.orelse)

    visit_While = visit_If  # noqa: N815 - the names are ast's

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        outside, self._within = self._within, (*self._within, *self._flags_in(node.test))
        self.visit(node.body)
        self.visit(node.orelse)
        self._within = outside

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        flags = self._flags_in(node.subject)
        for case in node.cases:
            if case.guard is not None:
                self.visit(case.guard)
            self._under(flags, case.body)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        flags: tuple[str, ...] = ()
        for item in node.items:
            self.visit(item.context_expr)
            if isinstance(item.optional_vars, ast.Name) and is_client(item.context_expr, self._clients):
                self._scope.clients.add(item.optional_vars.id)
            if isinstance(item.context_expr, ast.Call) and self._asks(item.context_expr.func) == "guard":
                flags = (*flags, *self._flags_in(item.context_expr))
        self._under(flags, node.body)

    visit_AsyncWith = visit_With  # noqa: N815 - as above

    def _plain_blocks(self, node: ast.For | ast.AsyncFor | ast.Try | ast.TryStar) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody"):
                self.block(value)
            elif isinstance(value, list):
                for each in value:
                    self.visit(each)
            elif isinstance(value, ast.AST):
                self.visit(value)

    visit_For = visit_AsyncFor = visit_Try = visit_TryStar = _plain_blocks  # noqa: N815 - as above

    # Scopes: what names stand for.

    @property
    def _scope(self) -> Scope:
        return self._scopes[-1]

    @property
    def _clients(self) -> frozenset[str]:
        return frozenset().union(*(scope.clients for scope in self._scopes))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inner(node, Scope(f"{self._scope.name}.{node.name}".lstrip(".")))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        scope = Scope(f"{self._scope.name}.{node.name}".lstrip("."))
        arguments = node.args
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if is_client_annotation(each.annotation):
                scope.clients.add(each.arg)
        for default in (*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)):
            self.visit(default)
        self._inner(node, scope)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - as above

    def _inner(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        flags: tuple[str, ...] = ()
        for decorator in node.decorator_list:
            self.visit(decorator)
            flags = (*flags, *self._flags_in(decorator)) if "requires_flag" in ast.dump(decorator) else flags
        self._scopes.append(scope)
        outside, self._within = self._within, flags
        self.block(node.body)
        self._within = outside
        self._scopes.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._assign(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if is_client_annotation(node.annotation) and (name := dotted(node.target)) is not None:
            self._scope.clients.add(name)
        if node.value is not None:
            self.visit(node.value)
            self._assign(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self._assign(node.target, node.value)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        name = dotted(target)
        if name is None:
            return
        if is_client(value, self._clients):
            # What a method puts into `self.x` the other methods find there.
            (self._scopes[0] if "." in name else self._scope).clients.add(name)
        if isinstance(value, ast.Attribute) and (call := self._asks(value)) is not None:
            self._scope.methods[name] = call
        texts = self._scope.texts
        texts[name] = self._text(value) if name not in texts else None
        if flags := self._flags_in(value):
            self._scope.answers[name] = flags

    # Calls.

    def visit_Call(self, node: ast.Call) -> None:
        call = self._asks(node.func)
        if call is not None and (key := self._key(node)) is not None:
            self._note(node, key, call)
        for function, key in zip(node.args, node.args[1:], strict=False):
            # partial(flags.is_enabled, "checkout"), to_thread(flags.is_enabled, "checkout")
            if isinstance(function, ast.Attribute) and (call := self._asks(function)) is not None:
                self._note(node, key, call)
        if (call := names_flags(node.func, self._clients)) is not None:
            self._note_names(node, call)
        self.generic_visit(node)

    def _asks(self, function: ast.expr) -> str | None:
        if (call := asks(function, self._clients)) is not None:
            return call
        name = dotted(function)
        if name is not None and (last := name.rpartition(".")[2]) in self._own:
            return last
        return next((s.methods[name] for s in reversed(self._scopes) if name in s.methods), None) if name else None

    def _key(self, node: ast.Call) -> ast.expr | None:
        if node.args:
            first = node.args[0]
        else:
            names = ("key", "flag", "flag_key", "flag_name", "feature", "feature_name", "name")
            first_named = next((each.value for each in node.keywords if each.arg in names), None)
            if first_named is None:
                return None
            first = first_named
        sure = (
            not isinstance(node.func, ast.Attribute)
            or node.func.attr in self._own
            or is_client(node.func.value, self._clients)
        )
        # `x.is_enabled(y)` on something that is no client as far as can be seen counts only with a text.
        return first if sure or self._asks_for_text(node.func, first) else None

    def _asks_for_text(self, function: ast.expr, key: ast.expr) -> bool:
        is_text = isinstance(key, ast.JoinedStr) or any(text is not None for text in self._texts_of(key))
        return is_text and isinstance(function, ast.Attribute) and function.attr in (*ASKING, "requires_flag")

    def _note(self, node: ast.Call, key: ast.expr, call: str) -> None:
        for text in self._texts_of(key):
            self._add(node, text, call, "" if text is not None else ast.unparse(key)[:200])

    def _note_names(self, node: ast.Call, call: str) -> None:
        for keyword in node.keywords:
            if keyword.arg is not None:
                self._add(node, keyword.arg, call)
            else:
                for key in keys_of(keyword.value, {}):
                    self._add(node, key, call)
        for argument in node.args:
            for key in keys_of(argument, {}):
                self._add(node, key, call)

    def _add(self, node: ast.Call, flag: str | None, call: str, text: str = "") -> None:
        within = tuple(dict.fromkeys(each for each in self._within if each != flag))
        self.found.append(
            Reference(
                file=self._file,
                line=node.lineno,
                column=node.col_offset + 1,
                flag=flag,
                call=call,
                function=self._scope.name,
                within=within,
                text=text,
            )
        )

    # Texts.

    def _texts_of(self, node: ast.expr) -> Iterator[str | None]:
        """Yield every text that an expression can be, and None for each part that only the run will tell."""
        if isinstance(node, ast.IfExp):
            yield from (*self._texts_of(node.body), *self._texts_of(node.orelse))
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self._texts_of(value)
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            for element in node.elts:  # a gate that takes several keys
                yield from self._texts_of(element)
        else:
            yield self._text(node)

    def _text(self, node: ast.expr) -> str | None:
        match node:
            case ast.Constant(value=str() as text):
                return text
            case ast.JoinedStr(values=[ast.Constant(value=str() as text)]):
                return text
            case ast.Subscript(value=table, slice=ast.Constant(value=str() as key)):
                name = dotted(table)
                return None if name is None else self._constants.find(self._module, f"{name}.[{key}]")
            case ast.Call(func=ast.Name(id="str"), args=[inner], keywords=[]):
                return self._text(inner)
        name = dotted(node)
        if name is None:
            return None
        for scope in reversed(self._scopes):
            if name in scope.texts and len(self._scopes) > 1 and scope is not self._scopes[0]:
                return scope.texts[name]
        if name.startswith(("self.", "cls.")):
            owner = next((s.name for s in reversed(self._scopes[:-1]) if s.name), "")
            found = self._constants.find(self._module, f"{owner}.{name.partition('.')[2]}")
            if found is not None:
                return found
        if self._scopes[0].texts.get(name, "") is None:
            return None  # a module's name that is assigned twice
        return self._constants.find(self._module, name)

    def _flags_in(self, node: ast.expr) -> tuple[str, ...]:
        """Return the flags that an expression asks for, or names the answer of."""
        flags: list[str] = []
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and self._asks(each.func) is not None and each.args:
                flags += [text for text in self._texts_of(each.args[0]) if text is not None]
            elif (name := dotted(each) if isinstance(each, ast.Name | ast.Attribute) else None) is not None:
                flags += next((s.answers[name] for s in reversed(self._scopes) if name in s.answers), ())
        return tuple(dict.fromkeys(flags))
