"""Taking a submission out of a notebook, or out of an older file: `unlearning` and what it needs, and nothing else."""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from starter_kit.contract import REQUIRED
from starter_kit.errors import InputError, quoted
from starter_kit.source import parsed, read

HOOK = REQUIRED[0]

DEVICE_NAMES = ("device", "DEVICE")
"""What notebooks call the device. The function's network says which one it really is."""


@dataclass(frozen=True)
class Taken:
    """What was taken out of a notebook.

    Attributes:
        source: a submission's text.
        took: the names that it defines or imports.
        left: the first lines of the statements that were left behind.
        unresolved: names that it uses and nothing defines.
        hard_wired: lines of ``source`` that name a GPU.
        too_early: first lines of statements that use the device before there is a network to follow.
    """

    source: str
    took: list[str]
    left: list[str]
    unresolved: list[str]
    hard_wired: list[str]
    too_early: list[str]


def take(path: Path) -> Taken:
    """The submission in a notebook (.ipynb) or in a Python file.

    Raises:
        InputError: there is no such file, it is no notebook, or it defines no function ``unlearning``.
        SubmissionError: it is not Python.
    """
    text = _code_of(path) if path.suffix == ".ipynb" else read(path)
    tree = parsed(path, text)
    # Of several definitions of a name, Python uses the last.
    defined = {name: node for node in tree.body for name in _names_bound(node)}
    if not isinstance(defined.get(HOOK), ast.FunctionDef):
        raise InputError(
            f"{quoted(path)} defines no function {HOOK}(net, retain, forget, val) outside of other functions."
        )
    needed = _needed(defined)
    chosen = [node for node in tree.body if node in needed.values()]
    lines = text.split("\n")
    parts = [_written(node, lines, needed) for node in chosen]
    source = _joined(chosen, parts)
    names = {name for node in chosen for name in _names_bound(node) if name in needed}
    used = {name for node in chosen for name in _globals_used(node)}
    devices = {name for node in chosen if (name := _device(node))}
    return Taken(
        source=source,
        took=sorted(names),
        left=[_first_line(node, lines) for node in tree.body if node not in chosen],
        unresolved=sorted(used - names - set(dir(builtins)) - {"__file__", "__name__"}),
        hard_wired=[line.strip() for line in source.split("\n") if _names_a_gpu(line)],
        too_early=[
            _first_line(node, lines) for node in chosen if not _device(node) and devices & set(_names_at_once(node))
        ],
    )


def _code_of(path: Path) -> str:
    """The code cells of a notebook, without commands to the notebook itself."""
    try:
        with path.open(encoding="utf-8") as file:
            notebook = nbformat.read(file, as_version=4)
    except OSError as error:
        raise InputError(f"Cannot read {quoted(path)}: {error.strerror}.") from error
    except (ValueError, nbformat.ValidationError, nbformat.reader.NotJSONError) as error:
        raise InputError(f"{quoted(path)} is not a notebook.") from error
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return "\n\n".join(_plain(cell) for cell in cells if not cell.lstrip().startswith("%%"))


def _plain(cell: str) -> str:
    """A cell without lines that begin with % or !, which only a notebook understands."""
    kept = [line for line in cell.split("\n") if not line.lstrip().startswith(("%", "!"))]
    return "\n".join(kept)


def _names_bound(node: ast.stmt) -> list[str]:
    """The names that a statement defines at the top of a file."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name.split(".")[0] for alias in node.names]
        case ast.Assign():
            return [one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return [name]
    return []


def _needed(defined: dict[str, ast.stmt]) -> dict[str, ast.stmt]:
    """The statements that ``unlearning`` needs, and those that these need, by name."""
    found: dict[str, ast.stmt] = {}
    left = [HOOK]
    while left:
        name = left.pop()
        if name in found or name not in defined:
            continue
        found[name] = defined[name]
        left += _globals_used(defined[name])
    return found


def _globals_used(node: ast.stmt) -> Iterator[str]:
    """Names that a statement reads and does not bind itself, as far as its text shows."""
    own = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)} | {
        argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)
    }
    inner = {
        one.name
        for one in ast.walk(node)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and one is not node
    }
    caught = {one.name for one in ast.walk(node) if isinstance(one, ast.ExceptHandler) and one.name}
    imported = {
        alias.asname or alias.name.split(".")[0]
        for one in ast.walk(node)
        if isinstance(one, ast.Import | ast.ImportFrom)
        for alias in one.names
    }
    # A constant at the top binds its own name, and may be read by others.
    local = (own if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else set()) | inner | caught
    if not isinstance(node, ast.Import | ast.ImportFrom):
        local |= imported
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one.id not in local:
            yield one.id


def _names_at_once(node: ast.AST) -> Iterator[str]:
    """Names that are read as soon as a statement is executed: also by defaults of functions, not by their bodies."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    bodies = node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
    if not isinstance(node, ast.Lambda):
        for part in ast.iter_child_nodes(node):
            if part not in bodies:
                yield from _names_at_once(part)


def _written(node: ast.stmt, lines: list[str], needed: dict[str, ast.stmt]) -> str:
    """A statement as it stands in the notebook; the device follows the network."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    text = "\n".join(lines[first - 1 : node.end_lineno])
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) in needed]
        return text if len(names) == len(node.names) else ast.unparse(_importing(node, names))
    if isinstance(node, ast.Assign | ast.AnnAssign) and (name := _device(node)):
        return f"{name} = None  # that of the network, set in {HOOK}"
    if isinstance(node, ast.FunctionDef) and node.name == HOOK:
        devices = sorted({name for one in needed.values() if (name := _device(one))})
        return _with_device(node, lines, first, devices)
    return text


def _importing(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.stmt:
    """The same import of fewer names."""
    return ast.Import(names) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, names, node.level)


def _device(node: ast.stmt) -> str | None:
    """The name that a statement gives to the device."""
    names = _names_bound(node) if isinstance(node, ast.Assign | ast.AnnAssign) else []
    return names[0] if len(names) == 1 and names[0] in DEVICE_NAMES else None


def _with_device(function: ast.FunctionDef, lines: list[str], first: int, devices: list[str]) -> str:
    """The function, which begins by asking the network for its device."""
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and len(body) > 1
    start = (body[1] if documented else body[0]).lineno
    head, rest = lines[first - 1 : start - 1], lines[start - 1 : function.end_lineno]
    if not devices:
        return "\n".join([*head, *rest])
    indent = " " * body[0].col_offset
    net = (function.args.posonlyargs + function.args.args)[0].arg
    asked = [f"{indent}global {name}" for name in devices]
    asked += [f"{indent}{name} = next({net}.parameters()).device" for name in devices]
    return "\n".join([*head, *asked, *rest])


def _joined(nodes: list[ast.stmt], parts: list[str]) -> str:
    """The parts of a file: imports and constants close together, functions and classes apart."""
    text = ""
    previous: ast.stmt | None = None
    for node, part in zip(nodes, parts, strict=True):
        if previous is not None:
            apart = any(isinstance(one, ast.FunctionDef | ast.ClassDef) for one in (previous, node))
            change = isinstance(previous, ast.Import | ast.ImportFrom) != isinstance(node, ast.Import | ast.ImportFrom)
            text += "\n\n\n" if apart else "\n\n" if change else "\n"
        text += part
        previous = node
    return text + "\n"


def _first_line(node: ast.stmt, lines: list[str]) -> str:
    return lines[node.lineno - 1].strip()


def _names_a_gpu(line: str) -> bool:
    return ".cuda(" in line or "'cuda" in line or '"cuda' in line
