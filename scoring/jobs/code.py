"""Which modules can change a row: those that define it, and everything of this kit that they import."""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("scoring", "starter_kit")


@cache
def modules_behind(*modules: str) -> tuple[str, ...]:
    """The modules of this kit that the named ones import, directly or not, and these themselves; sorted."""
    found: set[str] = set()
    waiting = [module for module in modules if module]
    while waiting:
        module = waiting.pop()
        if module in found or (tree := _tree(module)) is None:
            continue
        found.add(module)
        waiting += [name for name in _imported(tree) if name.split(".")[0] in PACKAGES]
    return tuple(sorted(found))


@cache
def digest_of_code(modules: tuple[str, ...]) -> str:
    """SHA-256 of what the modules do: comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for module in modules:
        tree = _tree(module)
        digest.update(f"{module}\n{ast.dump(tree) if tree else ''}\n".encode())
    return digest.hexdigest()


@cache
def _tree(module: str) -> ast.Module | None:
    """A module as it was when first asked for, without its docstrings; None if there is no such module."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    if not (spec and spec.has_location and spec.origin):
        return None
    return _WithoutWords().visit(ast.parse(Path(spec.origin).read_bytes()))


class _WithoutWords(ast.NodeTransformer):
    """Removes what changes nothing when a module runs: strings that are statements, and imports for types alone."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Nothing instead of a string."""
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """Nothing instead of a block that only a type checker reads."""
        return None if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" else self.generic_visit(node)


def _imported(tree: ast.Module) -> list[str]:
    """All names that may be modules: `from a.b import c` may mean a.b.c."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
