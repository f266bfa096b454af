"""What the statements of a file do to names: which they define, change and read. Scopes are those of ``symtable``."""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

DEVICE_NAMES = ("device", "DEVICE")
"""What notebooks call the device. The function's network says which one it really is."""


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement at the top of a file.

    Attributes:
        node: its tree.
        binds: names that it defines, or may define; "*" for what nobody can tell.
        changes: names whose values it changes, as ``cfg["lr"] = 0.1`` and ``cfg.update(lr=0.1)`` do.
        reads: global names that it reads, at once or in its functions.
    """

    node: ast.stmt
    binds: frozenset[str]
    changes: frozenset[str]
    reads: frozenset[str]

    @classmethod
    def of(cls, node: ast.stmt) -> "Statement":
        """What a statement does to names."""
        table = symtable.symtable(ast.unparse(node), "statement", "exec")
        star = isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
        binds = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
        return cls(
            node,
            frozenset({"*"} if star else binds | _globals_set(table)),
            frozenset(_changed(node)),
            frozenset(_globals_read(table)),
        )

    @property
    def imports(self) -> bool:
        """Whether it imports something, and does nothing else."""
        return isinstance(self.node, ast.Import | ast.ImportFrom)

    @property
    def device(self) -> str | None:
        """The name that it gives to the device, if that is all that it does."""
        (name, *others) = [*self.binds, None]
        simple = isinstance(self.node, ast.Assign | ast.AnnAssign | ast.If) and others == [None]
        return name if simple and name in DEVICE_NAMES else None


def _globals_set(table: symtable.SymbolTable) -> set[str]:
    """Names that functions declare global and set."""
    found = set()
    for child in table.get_children():
        found |= {one.get_name() for one in child.get_symbols() if one.is_declared_global() and one.is_assigned()}
        found |= _globals_set(child)
    return found


def _globals_read(table: symtable.SymbolTable) -> set[str]:
    """Global names that are read, in this scope and in those inside it."""
    top = table.get_type() == "module"
    found = {one.get_name() for one in table.get_symbols() if one.is_referenced() and (top or one.is_global())}
    return found.union(*map(_globals_read, table.get_children()))


def _changed(node: ast.stmt) -> Iterator[str]:
    """Names to whose items or attributes a statement assigns, or whose methods it calls."""
    targets = [*getattr(node, "targets", ()), getattr(node, "target", None)]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        targets = [node.value.func]
    for target in targets:
        part = target
        while isinstance(part, ast.Attribute | ast.Subscript):
            part = part.value
        if isinstance(part, ast.Name) and part is not target:
            yield part.id
