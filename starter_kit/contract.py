"""What a submission must define, and every static check of its file. Nothing here executes the file."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from starter_kit.errors import SubmissionError, quoted
from starter_kit.imports import imports, named
from starter_kit.source import parsed, read

HOOKS = {"unlearning": ("net", "retain", "forget", "val"), "learning": ("net", "train", "val")}
"""The functions that the kit calls, with their parameters by position."""

REQUIRED = ("unlearning",)
"""Those that every submission defines. One that defines the others too brings its own learning algorithm."""

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
        SubmissionError: there is no such file, it cannot be read as Python reads it, or a check fails.
    """
    source = read(path)
    check(path, source)
    return source


def brings_learning(path: Path) -> bool:
    """Whether the submission file defines ``learning``. False for a file that cannot be read."""
    try:
        return "learning" in hooks_in(path, read(path))
    except SubmissionError:
        return False


def read_for_kaggle(path: Path) -> str:
    """The text of a submission file that Kaggle can run, after every static check has passed.

    Raises:
        SubmissionError: as for ``read_source``, or the file brings its own learning, or needs text.
    """
    source = read_source(path)
    if brings_learning(path):
        raise SubmissionError(
            f"{quoted(path)} brings its own learning, so it cannot go to Kaggle: the competition runs `unlearning` on "
            "its own original model and takes weights of that architecture only. `make score` judges it here."
        )
    if line := reads_text(source):
        raise SubmissionError(
            f"{quoted(path)}, line {line}: this submission reads text, so it cannot go to Kaggle: the competition has "
            "pictures only. `make score TASK=authors` judges it here."
        )
    return source


def reads_text(source: str) -> int | None:
    """The line of a submission that asks a batch for tokens, or a data set for its tokenizer; None if none does."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Attribute(attr="tokenizer")
                | ast.Subscript(slice=ast.Constant(value="input_ids" | "attention_mask"))
            ):
                return node.lineno
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value="tokenizer"), *_]):
                return node.lineno
    return None


def check(path: Path, source: str) -> None:
    """Check that the file is Python, imports nothing of this kit, and defines what the kit calls.

    Raises:
        SubmissionError: the first check that fails.
    """
    shown = quoted(path)
    tree = parsed(path, source)
    for line, module in sorted({*imports(tree), *named(tree)}):
        if module.startswith(".") or module.split(".")[0] in OUR_PACKAGES:
            raise SubmissionError(
                f"{shown}, line {line}: a submission is uploaded as a single file and cannot import "
                f"'{quoted(module)}'. Copy what it needs into the file."
            )
    defined = _defined(tree)
    for hook in HOOKS:
        if hook not in defined:
            if hook in REQUIRED:
                raise SubmissionError(f"{shown} has no function {signature(hook)}. See starter_kit/template.py.")
            continue
        function = defined[hook]
        if isinstance(function, ast.FunctionDef) and (reason := _wrong_parameters(function, hook)):
            raise SubmissionError(f"{shown}, line {function.lineno}: expected {signature(hook)}, found {reason}.")


def hooks_in(path: Path, source: str) -> tuple[str, ...]:
    """The functions that the kit calls, as far as the text of a submission defines them."""
    defined = _defined(parsed(path, source))
    return tuple(hook for hook in HOOKS if hook in defined or hook in REQUIRED)


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
    left = [*ast.iter_child_nodes(block)][::-1]
    while left:
        node = left.pop()
        if isinstance(node, ast.stmt):
            yield node
        run_with_it = isinstance(node, ast.stmt | ast.excepthandler | ast.match_case)
        if run_with_it and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            left += [*ast.iter_child_nodes(node)][::-1]


def _wrong_parameters(function: ast.FunctionDef, hook: str) -> str | None:
    """How the function was declared, if it cannot be called with the hook's arguments by position."""
    arguments, given = function.args, len(HOOKS[hook])
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    too_many = positional < given and arguments.vararg is None
    keyword_only = [arg for arg, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not value]
    if required <= given and not too_many and not keyword_only:
        return None
    return f"{hook}({_written(arguments)}), which cannot be called with {given} positional arguments"


def warnings_of(source: str) -> list[str]:
    """What Kaggle may lack or reject although the file runs here: packages, files, lines that look like prompts."""
    found = [
        f"line {number}: begins with {line.strip()[:3]!r}, which a notebook may take for a prompt and remove. The "
        "notebook would then stop, because the SHA-256 of the file changes. Begin the line with something else."
        for number, line in enumerate(source.split("\n"), start=1)
        # A notebook also takes form feeds and other separators for the end of a line.
        if any(map(PROMPT.match, line.splitlines()))
    ]
    tree = ast.parse(source)
    for line, module in imports(tree):
        package = module.split(".")[0]
        if package not in ON_KAGGLE | sys.stdlib_module_names:
            found.append(
                f"line {line}: imports '{quoted(package)}', which Kaggle's image may lack. There is no internet to "
                "install it."
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
    if named is None or "/kaggle/input" in _written(named):
        return None
    return _written(named).removesuffix(f".{called}")


def _written(node: ast.AST) -> str:
    """A part of a tree as it is written, for a message."""
    try:
        return quoted(ast.unparse(node))
    except RecursionError:
        return "…"
