"""The modules that a source names, in import statements and in calls that import, as far as they are written out."""

import ast
import re
from collections.abc import Iterator

IMPORTERS = {
    *("import_module", "__import__", "reload", "find_spec", "find_loader", "get_loader", "find_module", "load_module"),
    *("run_module", "run_path", "resolve_name", "get_data", "files", "spec_from_file_location", "SourceFileLoader"),
}
"""Functions that import, find or read the module that a text names, whatever module they come from."""

EXECUTERS = {"exec", "eval", "compile"}
"""Functions that take source."""


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and name of every module in an import statement, with dots before relative ones."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                yield node.lineno, "." * node.level + (node.module or "")


def named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and name of every module that a call imports, or ``sys.modules`` is asked for, by a text in the source.

    A name that is computed is not found.
    """
    called_as = _other_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                function = called_as.get(_name(node.func), _name(node.func))
                texts = filter(None, map(_text, [*node.args, *(keyword.value for keyword in node.keywords)]))
                if function in IMPORTERS:
                    yield from ((node.lineno, module) for text in texts if (module := _module(text)))
                elif function in EXECUTERS:
                    yield from ((node.lineno, module) for text in texts for module in _imported_in(text))
                elif isinstance(node.func, ast.Attribute) and _is_modules(node.func.value, called_as):
                    yield from ((node.lineno, text) for text in texts)
            case ast.Subscript(value=value, slice=key) if _is_modules(value, called_as) and (text := _text(key)):
                yield node.lineno, text


def _other_names(tree: ast.AST) -> dict[str, str]:
    """What functions and ``sys.modules`` are called after ``import as`` and plain assignments."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom():
                found |= {alias.asname: alias.name for alias in node.names if alias.asname}
            case ast.Assign(targets=targets, value=ast.Name() | ast.Attribute() | ast.Call() as value) if _name(value):
                found |= {name: found.get(_name(value), _name(value)) for target in targets if (name := _name(target))}
    return found


def _name(node: ast.AST) -> str:
    """The last part of a dotted name; of ``getattr(importlib, "import_module")`` the attribute's."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Name(id="getattr"), args=[_, attribute, *_]):
            return _text(attribute) or ""
    return ""


def _is_modules(node: ast.AST, called_as: dict[str, str]) -> bool:
    return called_as.get(_name(node), _name(node)) == "modules"


def _text(node: ast.AST) -> str | None:
    """The text that an expression is, if it is written out."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            texts = [_text(part) for part in parts]
            return None if None in texts else "".join(filter(None, texts))
        case ast.BinOp(left=ast.Constant(value=str(left)), op=ast.Add(), right=ast.Constant(value=str(right))):
            return left + right
    return None


def _module(text: str) -> str | None:
    """The module that a text names, as a dotted name or as a path, if it may be one."""
    dotted = re.sub(r"[/\\:]+", ".", text.removesuffix(".py").removeprefix("./"))
    return dotted if re.fullmatch(r"[\w.]+", dotted) else None


def _imported_in(source: str) -> Iterator[str]:
    """The modules that are imported in a source within the source."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from (module for _, module in [*imports(tree), *named(tree)])
