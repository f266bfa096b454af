"""The notebook that goes to Kaggle: the whole submission file, the examples, and the protocol, as cells."""

import hashlib
import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from starter_kit.errors import KaggleError

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples.py"
CELLS = ("places", "data", "model", "budgets", "runs")
"""The files of ``cells`` in the order in which the notebook needs them."""

RECORD = "unlearning_kit"
"""The key in the notebook's metadata under which it says what it was built from."""

SOURCE_FILE = "submission.py"
"""The submission's file in the notebook's working folder."""


def build(name: str, source: str, competition: str, half_precision: bool = True) -> str:
    """Build a submission's notebook: the text of an ``.ipynb`` file, the same for the same arguments.

    Args:
        name: the submission's name.
        source: the text of its whole file.
        competition: the competition's slug, which is also the name of its input folder.
        half_precision: whether checkpoints are saved in half precision.
    """
    # A cell does not keep white space at the end of a file.
    body = source.rstrip() + "\n"
    call = (
        "run_protocol(\n"
        f"    competition={json.dumps(competition)},\n"
        f"    file={json.dumps(SOURCE_FILE)},\n"
        f"    sha256={json.dumps(hashlib.sha256(body.encode()).hexdigest())},\n"
        f"    half_precision={half_precision},\n"
        ")"
    )
    cells = [
        new_markdown_cell(_title(name, competition)),
        new_code_cell(f"%%writefile {SOURCE_FILE}\n{body}"),
        new_markdown_cell(
            "## Examples\nWhat the submission receives: examples, batches of them, and the loaders that deal batches."
        ),
        new_code_cell(EXAMPLES.read_text(encoding="utf-8").strip()),
        *(cell for name in CELLS for cell in _cells_of(HERE / "cells" / f"{name}.py")),
        new_markdown_cell("## Run\nThe SHA-256 is that of the submission when it was bundled."),
        new_code_cell(call),
    ]
    for position, cell in enumerate(cells):
        # nbformat's random ids would make every build a different file.
        cell.id = f"cell-{position:02d}"
    notebook = new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            RECORD: {
                "name": name,
                "competition": competition,
                "half_precision": half_precision,
                "submission_sha256": hashlib.sha256(source.encode()).hexdigest(),
                "cells_sha256": _digest(cells),
            },
        },
    )
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def record_of(path: Path) -> dict[str, str | bool]:
    """What the notebook at ``path`` was built from.

    Raises:
        KaggleError: this kit did not build it, or its cells were edited since.
    """
    action = "Remove it and bundle the submission again: make bundle SUBMISSION=..."
    try:
        notebook = nbformat.read(path, as_version=4)
        record = dict(notebook.metadata[RECORD])
        expected = record["cells_sha256"]
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise KaggleError(f"{path} is not a notebook from make bundle ({type(error).__name__}). {action}") from error
    found = _digest(notebook.cells)
    if found != expected:
        raise KaggleError(
            f"{path} was edited by hand after it was bundled: expected cells with SHA-256 {expected[:12]}, found "
            f"{found[:12]}. The code that is uploaded must be the code that was scored, so edit the submission's file "
            f"instead. {action}"
        )
    return record


def _digest(cells: list) -> str:
    """SHA-256 of the cells' sources. Their outputs do not count."""
    sources = [[cell.id, cell.cell_type, cell.source] for cell in cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _title(name: str, competition: str) -> str:
    """The first cell."""
    return (
        f"# Unlearning: {name}\n"
        f"A submission to [{competition}](https://www.kaggle.com/competitions/{competition}). It unlearns the forget "
        "set from 512 fresh copies of the original model, each with its own seed, and zips their checkpoints.\n\n"
        "This notebook was generated from a single file, which is in the next cell. To change it, edit that file and "
        "bundle it again. It needs a GPU and no internet, and imports nothing that Kaggle lacks.\n\n"
        "## The submission"
    )


def _cells_of(script: Path) -> list:
    """The cells of a script in the percent format, from its first ``# %%`` on."""
    cells = []
    for part in script.read_text(encoding="utf-8").split("\n# %%")[1:]:
        mark, _, text = part.partition("\n")
        if mark.strip() == "[markdown]":
            lines = (line.removeprefix("#").removeprefix(" ") for line in text.strip().splitlines())
            cells.append(new_markdown_cell("\n".join(lines)))
        else:
            cells.append(new_code_cell(text.strip()))
    return cells
