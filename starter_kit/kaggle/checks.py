"""What of a submission, and of its bundle, Kaggle would refuse or might lack."""

import ast
import json
import re
import sys
from pathlib import Path

from starter_kit.kaggle.errors import KaggleError

ON_KAGGLE = {
    *("torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "sklearn", "PIL", "cv2", "skimage", "tqdm"),
    *("matplotlib", "seaborn", "joblib", "requests", "yaml", "networkx", "sympy", "timm", "einops", "torchmetrics"),
    *("pytorch_lightning", "transformers", "xgboost", "lightgbm", "catboost", "optuna", "albumentations"),
}
"""Packages that Kaggle's image is known to have, beside the standard library."""

OURS = {"starter_kit", "scoring", "submissions", "tests"}

READS = {
    *("open", "load", "read_csv", "read_text", "read_bytes", "read_image", "imread"),
    *("loadtxt", "genfromtxt", "fromfile", "memmap"),
}
"""Functions and methods that read a file."""

PROMPT = re.compile(r"\s*(>>>|In \[\d+\]:)")
"""What IPython may strip off a line of a cell."""

TITLE_LENGTHS = range(5, 51)


def read(submission: Path) -> str:
    """A submission's text. Raises ``KaggleError`` if it has none."""
    try:
        return submission.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise KaggleError(
            f"Cannot read the submission {submission}: {reason}. Name its file with SUBMISSION=."
        ) from error


def check(submission: Path, source: str) -> None:
    """Raise ``KaggleError`` if the file cannot be a submission at all."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise KaggleError(f"{submission}, line {error.lineno}: {error.msg}.") from error
    for node in ast.walk(tree):
        for module in _imported(node):
            if module.startswith(".") or module.split(".")[0] in OURS:
                raise KaggleError(
                    f"{submission}, line {getattr(node, 'lineno', 0)}: a submission goes to Kaggle as one file and "
                    f"cannot import {module!r}. Copy what it needs into it."
                )
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    if "unlearning" not in names:
        raise KaggleError(
            f"{submission} has no function unlearning(net, retain, forget, val). See starter_kit/template.py."
        )


def warnings_of(source: str) -> list[str]:
    """What of a submission may fail on Kaggle though it runs here: what it imports, which files it reads, prompts."""
    found = [
        f"line {number}: begins with {line.strip()[:3]!r}, which a notebook may take for a prompt and remove; it would "
        "then stop, since its SHA-256 is another. Begin that line with something else."
        for number, line in enumerate(source.splitlines(), start=1)
        if PROMPT.match(line)
    ]
    for node in ast.walk(ast.parse(source)):
        for module in _imported(node):
            package = module.split(".")[0]
            if package not in ON_KAGGLE | sys.stdlib_module_names:
                found.append(
                    f"line {getattr(node, 'lineno', 0)}: imports {package!r}, which Kaggle's image may not have, and "
                    "there is no internet to install it."
                )
        if isinstance(node, ast.Call) and (file := _file_read_by(node)):
            found.append(
                f"line {node.lineno}: reads the file {file}, which is not there on Kaggle: the submission goes alone."
            )
    return found


def _file_read_by(call: ast.Call) -> str | None:
    """The source of what names the file that a call reads, if it does and if that is none of the competition's."""
    method = isinstance(call.func, ast.Attribute)
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in READS:
        return None
    # Path("a file").read_text() names the file before the dot.
    named = call.args[0] if call.args and called not in {"read_text", "read_bytes"} else call.func if method else None
    if named is None or "/kaggle/input" in ast.unparse(named):
        return None
    return ast.unparse(named).removesuffix(f".{called}")


def _imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports, with dots before those that are relative."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return ["." * node.level + (node.module or "")]
    return []


def title_and_slug(name: str) -> tuple[str, str]:
    """A submission's title on Kaggle and the second half of its id, which Kaggle wants to be made of the title.

    Raises:
        KaggleError: Kaggle would refuse them.
    """
    title = " ".join(["Unlearning", *name.replace("_", " ").split()])
    slug = _slug_of(title)
    if not name.isascii() or slug == "unlearning" or len(title) not in TITLE_LENGTHS:
        raise KaggleError(
            f"Kaggle would refuse an id made of {name!r}. Expected a file's name of the letters a to z, digits and "
            f"underscores, and a title of at most {TITLE_LENGTHS[-1]} characters; found the title {title!r} with "
            f"{len(title)}. Rename the file."
        )
    return title, slug


def check_id(path: Path) -> tuple[str, str]:
    """The owner and slug in the metadata at ``path``.

    Raises:
        KaggleError: the file is no metadata, or Kaggle would refuse the id or the title.
    """
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        found, title = metadata["id"], metadata["title"]
        owner, slug = found.split("/")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KaggleError(
            f"{path}: expected JSON with an id such as name/unlearning-mine and a title. Bundle the submission again."
        ) from error
    if not re.fullmatch("[A-Za-z0-9-]+", owner) or not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", slug):
        raise KaggleError(
            f"{path}: Kaggle would refuse the id {found!r}. Expected owner/slug, the slug of the letters a to z, "
            "digits and single hyphens, without underscores."
        )
    if len(title) not in TITLE_LENGTHS or _slug_of(title) != slug:
        raise KaggleError(
            f"{path}: Kaggle would refuse the title {title!r} with the id {found!r}. Expected "
            f"{TITLE_LENGTHS[0]} to {TITLE_LENGTHS[-1]} characters that make the slug {slug!r}; they make "
            f"{_slug_of(title)!r}."
        )
    return owner, slug


def _slug_of(title: str) -> str:
    """What Kaggle makes of a title for an id."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
