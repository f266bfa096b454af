"""What a submission must define, and every static check of its file. Nothing here executes the file."""

import ast
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from starter_kit.errors import SubmissionError

HOOKS = {"unlearning": ("net", "retain", "forget", "val")}
"""The functions that the kit calls, with their parameters by position."""

OUR_PACKAGES = ("starter_kit", "scoring", "submissions", "tests")
"""A submission runs as a single file, without these."""

ON_KAGGLE = {
    *("torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "sklearn", "PIL", "cv2", "skimage", "tqdm"),
    *("matplotlib", "seaborn", "joblib", "requests", "yaml", "networkx", "sympy", "timm", "einops", "torchmetrics"),
    *("pytorch_lightning", "transformers", "xgboost", "lightgbm", "catboost", "optuna", "albumentations"),
}
"""Packages that Kaggle's image is known to contain, besides the standard library."""

READS_A_FILE = {
    *("open", "load", "read_csv", "read_text", "read_bytes", "read_image", "imread"),
    *("loadtxt", "genfromtxt", "fromfile", "memmap"),
}

PROMPT = re.compile(r"\s*(>>>|In \[\d+\]:)")
"""What IPython may strip from the start of a line in a cell."""


def signature(hook: str) -> str:
    """A hook as it is written in a file: ``unlearning(net, retain, forget, val)``."""
    return f"{hook}({', '.join(HOOKS[hook])})"


def read_source(path: Path) -> str:
    """The text of a submission file, after every static check has passed.

    Raises:
        SubmissionError: there is no such file, it is not UTF-8, or a check fails.
    """
    if not path.is_file():
        raise SubmissionError(_no_file(path))
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{path} is not a text file in UTF-8: {error}") from error
    except OSError as error:
        raise SubmissionError(f"Cannot read {path}: {error.strerror}.") from error
    check(path, source)
    return source


def _no_file(path: Path) -> str:
    """What to say where there is no file, with the file that was probably meant."""
    if path.is_dir():
        return f"{path} is a folder. `make compare` ranks all submissions; `make score` takes one file."
    in_its_folder = Path("submissions") / f"{path.stem}.py"
    if in_its_folder.is_file():
        return f"There is no submission file {path}. Did you mean {in_its_folder}?"
    found = {file.stem: file for file in path.parent.glob("[!_]*.py")}
    near = get_close_matches(path.stem, found, n=1)
    hint = f"Did you mean {found[near[0]]}?" if near else "`make new NAME=mine` creates submissions/mine.py."
    return f"There is no submission file {path}. {hint}"


def check(path: Path, source: str) -> None:
    """Check that the file is Python, imports nothing of this kit, and defines what the kit calls.

    Raises:
        SubmissionError: the first check that fails.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        text = f"\n    {error.text.strip()}" if error.text else ""
        raise SubmissionError(f"{path}, line {error.lineno}: {error.msg}{text}") from error
    except ValueError as error:
        raise SubmissionError(f"{path} is not Python source: {error}.") from error
    for line, module in _imports(tree):
        if module.startswith(".") or module.split(".")[0] in OUR_PACKAGES:
            raise SubmissionError(
                f"{path}, line {line}: a submission is uploaded as a single file and cannot import {module!r}. "
                "Copy what it needs into the file."
            )
    defined = _defined(tree)
    for hook in HOOKS:
        if hook not in defined:
            raise SubmissionError(f"{path} has no function {signature(hook)}. See starter_kit/template.py.")
        function = defined[hook]
        if isinstance(function, ast.FunctionDef) and (reason := _wrong_parameters(function, hook)):
            raise SubmissionError(f"{path}, line {function.lineno}: expected {signature(hook)}, found {reason}.")


def _defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """The statements outside functions and classes, by the names that they define."""
    found: dict[str, ast.stmt] = {}
    for node in _statements(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                found[node.name] = node
            case ast.Import() | ast.ImportFrom():
                found |= {alias.asname or alias.name: node for alias in node.names}
            case ast.Assign():
                found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
    return found


def _statements(block: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a block, and of the blocks in it that are run with it: ``if``, ``try``, ``with``, loops."""
    for node in ast.iter_child_nodes(block):
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _statements(node)


def _wrong_parameters(function: ast.FunctionDef, hook: str) -> str | None:
    """How the function was declared, if it cannot be called with the hook's arguments by position."""
    arguments, given = function.args, len(HOOKS[hook])
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    too_many = positional < given and arguments.vararg is None
    keyword_only = [arg for arg, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not value]
    if required <= given and not too_many and not keyword_only:
        return None
    return f"{hook}({ast.unparse(arguments)}), which cannot be called with {given} positional arguments"


def warnings_of(source: str) -> list[str]:
    """What Kaggle may lack or reject although the file runs here: packages, files, lines that look like prompts."""
    found = [
        f"line {number}: begins with {line.strip()[:3]!r}, which a notebook may take for a prompt and remove. The "
        "notebook would then stop, because the SHA-256 of the file changes. Begin the line with something else."
        for number, line in enumerate(source.splitlines(), start=1)
        if PROMPT.match(line)
    ]
    tree = ast.parse(source)
    for line, module in _imports(tree):
        package = module.split(".")[0]
        if package not in ON_KAGGLE | sys.stdlib_module_names:
            found.append(
                f"line {line}: imports {package!r}, which Kaggle's image may lack. There is no internet to install it."
            )
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (file := _file_read_by(node)):
            found.append(
                f"line {node.lineno}: reads the file {file}, which will not exist on Kaggle: only the submission "
                "itself is uploaded."
            )
    return found


def _file_read_by(call: ast.Call) -> str | None:
    """The expression that names the file that a call reads, unless it is one of the competition's files."""
    method = isinstance(call.func, ast.Attribute)
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in READS_A_FILE:
        return None
    # Path("a file").read_text() names the file before the dot.
    named = call.args[0] if call.args and called not in {"read_text", "read_bytes"} else call.func if method else None
    if named is None or "/kaggle/input" in ast.unparse(named):
        return None
    return ast.unparse(named).removesuffix(f".{called}")


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and name of every module that a file imports, with dots before relative ones."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                yield node.lineno, "." * node.level + (node.module or "")
