"""Extract a submission, that is `unlearning` and what it needs, from a notebook or a Python file."""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from starter_kit.contract import REQUIRED
from starter_kit.errors import InputError, SubmissionError, quoted
from starter_kit.notebook_cells import code_of, with_plain_ends
from starter_kit.source import parsed, read
from starter_kit.statements import Statement

HOOK = REQUIRED[0]

CELL_MARK = re.compile(r"# (%%|In\[)")
"""What separates the cells of a notebook that is kept as a script."""

GIVEN = {*dir(builtins), "__file__", "__name__"}
"""Names that nobody needs to define."""


@dataclass(frozen=True)
class Taken:
    """What was taken out of a notebook.

    Attributes:
        source: a submission's text.
        took: the names that it defines or imports.
        left: the first lines of the statements that were left out, imports aside.
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
        SubmissionError: it is not Python, or what was taken would not be.
    """
    text = code_of(path) if path.suffix == ".ipynb" else with_plain_ends(read(path))
    statements = parsed(path, text).body
    hooks = [node for node in statements if isinstance(node, ast.FunctionDef) and node.name == HOOK]
    if not hooks or not _parameters(hooks[-1]):
        raise InputError(f"{quoted(path)} does not define {HOOK}(net, retain, forget, val) at its top level.")
    # Of several definitions, Python uses the last.
    known = [Statement.of(node) for node in statements if node not in hooks[:-1]]
    hook = next(one for one in known if one.node is hooks[-1])
    chosen, needed = _needed(known, hook)
    lines = text.split("\n")
    devices = {name for one in chosen if (name := one.device)}
    source = _joined(chosen, [_written(one, known, lines, needed, devices if one is hook else None) for one in chosen])
    _check_that_it_is_python(path, source)
    defined = {name for one in chosen for name in one.binds}
    anything = any("*" in one.binds for one in chosen)
    return Taken(
        source=source,
        took=sorted((defined & needed) - {"*"}),
        left=[_first_line(one.node, lines) for one in known if one not in chosen and not one.imports],
        unresolved=[] if anything else sorted({name for one in chosen for name in one.reads} - defined - GIVEN),
        hard_wired=[line.strip() for line in source.split("\n") if _names_a_gpu(line)],
        too_early=[
            _first_line(one.node, lines) for one in chosen if not one.device and devices & set(_names_at_once(one.node))
        ],
    )


def _check_that_it_is_python(path: Path, source: str) -> None:
    try:
        compile(source, str(path), "exec")
    except (SyntaxError, ValueError) as error:
        raise SubmissionError(
            f"{quoted(path)}: {HOOK} cannot be extracted as it stands: {quoted(error)}. Indent with spaces, and put "
            "each statement on a line of its own."
        ) from error


def _needed(known: Sequence[Statement], hook: Statement) -> tuple[list[Statement], set[str]]:
    """The statements that the hook needs, in their order, and the names for which they are needed.

    What runs the hook is not among them: that is the notebook's own loop over models.
    """
    candidates = [one for one in known if one is hook or HOOK not in one.reads]
    imported = {name for one in known if one.imports for name in one.binds}
    # Statements about the syntax of the whole file.
    chosen = {hook, *(one for one in known if getattr(one.node, "module", None) == "__future__")}
    names: set[str] = set()
    wanted = {HOOK, *hook.reads}
    while wanted - names:
        for name in wanted - names:
            names.add(name)
            # Settings of modules, as of torch.backends, are the notebook's.
            for one in candidates:
                if name in one.binds or (name in one.changes and name not in imported):
                    chosen.add(one)
                    wanted |= one.reads
    if names - {name for one in chosen for name in one.binds} - GIVEN:
        chosen |= {one for one in candidates if "*" in one.binds}
    return [one for one in known if one in chosen], names


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    return function.args.posonlyargs + function.args.args


def _names_at_once(node: ast.AST) -> Iterator[str]:
    """Names that are read as soon as a statement is executed: also by defaults of functions, not by their bodies."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    bodies = node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
    if not isinstance(node, ast.Lambda):
        for part in ast.iter_child_nodes(node):
            if part not in bodies:
                yield from _names_at_once(part)


def _written(
    one: Statement, known: Sequence[Statement], lines: list[str], needed: set[str], devices: set[str] | None
) -> str:
    """A statement as it stands in the notebook, with the comment above it; the device follows the network.

    Args:
        one: the statement.
        known: all of them.
        lines: of the whole text.
        needed: names for which statements are needed.
        devices: for the hook, the names of the device; None for all others.
    """
    node = one.node
    if one.device:
        return f"{one.device} = None  # set in {HOOK} to the network's device"
    if isinstance(node, ast.Import | ast.ImportFrom) and "*" not in one.binds:
        names = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) in needed]
        future = getattr(node, "module", None) == "__future__"
        if len(names) < len(node.names) and not future:
            return ast.unparse(_importing(node, names))
    first, last = _first_number(node), _last_number(node)
    if any(
        other is not one and _first_number(other.node) <= last and first <= _last_number(other.node) for other in known
    ):
        text = ast.unparse(node)
    else:
        while first > 1 and lines[first - 2].startswith("#") and not CELL_MARK.match(lines[first - 2]):
            first -= 1
        text = "\n".join(lines[first - 1 : last])
    return _with_device(text, devices) if devices else text


def _first_number(node: ast.stmt) -> int:
    """Its first line, decorators among them."""
    return min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])


def _last_number(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _importing(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.stmt:
    """The same import of fewer names."""
    return ast.Import(names) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, names, node.level)


def _with_device(text: str, devices: set[str]) -> str:
    """The text of the hook, which begins by asking the network for its device."""
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    first = function.body[0]
    if text.split("\n")[first.lineno - 1][: first.col_offset].strip() and not getattr(first, "decorator_list", []):
        # A body on the last line of its head.
        text = ast.unparse(function)
        (function,) = ast.parse(text).body
        assert isinstance(function, ast.FunctionDef)
    lines = text.split("\n")
    documented = ast.get_docstring(function, clean=False) is not None and len(function.body) > 1
    start = _first_number(function.body[documented])
    indent = lines[start - 1][: len(lines[start - 1]) - len(lines[start - 1].lstrip())]
    net = _parameters(function)[0].arg
    table = symtable.symtable(ast.unparse(function), "hook", "exec").get_children()[-1]
    symbols = {one.get_name(): one for one in table.get_symbols()}
    asked = []
    for name in sorted(devices):
        value = f"next({net}.parameters()).device"
        known = symbols.get(name)
        if known and (known.is_local() or known.is_parameter()):
            # It has one of its own, and its helpers read the global one.
            asked.append(f'{indent}globals()["{name}"] = {value}')
        elif known and known.is_declared_global():
            asked.append(f"{indent}{name} = {value}")
        else:
            asked += [f"{indent}global {name}", f"{indent}{name} = {value}"]
    # After the hook's own declarations, which must come before what they declare.
    own = [part for part in function.body if isinstance(part, ast.Global)]
    if own and any(known.is_declared_global() for name in devices if (known := symbols.get(name))):
        start = max(start, (own[-1].end_lineno or own[-1].lineno) + 1)
    return "\n".join([*lines[: start - 1], *asked, *lines[start - 1 :]])


def _joined(chosen: Sequence[Statement], parts: Sequence[str]) -> str:
    """The parts of a file: imports and constants close together, functions and classes apart."""
    text = ""
    previous: Statement | None = None
    for one, part in zip(chosen, parts, strict=True):
        if previous is not None:
            apart = any(isinstance(each.node, ast.FunctionDef | ast.ClassDef) for each in (previous, one))
            text += "\n\n\n" if apart else "\n\n" if previous.imports != one.imports else "\n"
        text += part
        previous = one
    return text + "\n"


def _first_line(node: ast.stmt, lines: list[str]) -> str:
    return lines[node.lineno - 1].strip()


def _names_a_gpu(line: str) -> bool:
    return ".cuda(" in line or "'cuda" in line or '"cuda' in line
