"""The notebook that goes to Kaggle: a submission's whole file, what a batch is, and the protocol, as cells."""

import hashlib
import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from starter_kit.kaggle.errors import KaggleError

HERE = Path(__file__).parent
BATCHES = HERE.parent / "batches.py"
CELLS = ("places", "data", "model", "budgets", "runs")
"""The files of ``cells`` in the order in which the notebook needs them."""

RECORD = "unlearning_kit"
"""The notebook's metadata under this name say what it was made of."""

SOURCE_FILE = "submission.py"
"""What the submission is called in the notebook's working folder."""


def build(name: str, source: str, competition: str, half_precision: bool = True) -> str:
    """The notebook of a submission as the text of an ``.ipynb`` file, the same for the same arguments.

    Args:
        name: what the submission is called.
        source: its whole file, helpers and imports and all.
        competition: the competition's slug, after which the input folder is named.
        half_precision: whether checkpoints are saved in half precision.
    """
    # What ends a file is all that a cell cannot keep.
    body = source.rstrip() + "\n"
    call = (
        "follow_the_protocol(\n"
        f"    competition={json.dumps(competition)},\n"
        f"    file={json.dumps(SOURCE_FILE)},\n"
        f"    sha256={json.dumps(hashlib.sha256(body.encode()).hexdigest())},\n"
        f"    half_precision={half_precision},\n"
        ")"
    )
    cells = [
        new_markdown_cell(_title(name, competition)),
        new_code_cell(f"%%writefile {SOURCE_FILE}\n{body}"),
        new_markdown_cell("## Batches\nWhat the submission is handed, and the loaders that deal it out."),
        new_code_cell(BATCHES.read_text(encoding="utf-8").strip()),
        *(cell for name in CELLS for cell in _cells_of(HERE / "cells" / f"{name}.py")),
        new_markdown_cell("## Go\nThe SHA-256 is that of the submission as it was bundled."),
        new_code_cell(call),
    ]
    for place, cell in enumerate(cells):
        # Random ids, as nbformat gives them, would make each build another file.
        cell.id = f"cell-{place:02d}"
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
    """What the notebook at ``path`` was made of.

    Raises:
        KaggleError: it is no notebook of this kit, or its cells are not as they were bundled.
    """
    again = "Remove it and bundle the submission again: make bundle SUBMISSION=..."
    try:
        notebook = nbformat.read(path, as_version=4)
        record = dict(notebook.metadata[RECORD])
        recorded = record["cells_sha256"]
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise KaggleError(f"{path} is no notebook that was bundled here ({type(error).__name__}). {again}") from error
    found = _digest(notebook.cells)
    if found != recorded:
        raise KaggleError(
            f"{path} was edited by hand since it was bundled: expected cells of SHA-256 {recorded[:12]}, found "
            f"{found[:12]}. What is uploaded has to be what was scored: make the change in the submission's file. "
            f"{again}"
        )
    return record


def _digest(cells: list) -> str:
    """SHA-256 of what the cells say; what running them left does not count."""
    said = [[cell.id, cell.cell_type, cell.source] for cell in cells]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _title(name: str, competition: str) -> str:
    """The first cell: what this is."""
    return (
        f"# Unlearning: {name}\n"
        f"A submission to [{competition}](https://www.kaggle.com/competitions/{competition}). It makes 512 models "
        "forget the forget set, each from a fresh copy of the original model and with a seed of its own, and zips "
        "their checkpoints.\n\n"
        "This notebook was made by a program from one file, which the next cell holds; change that file, and make "
        "the notebook again. It needs a GPU and no internet, and imports nothing that Kaggle does not have.\n\n"
        "## The submission"
    )


def _cells_of(script: Path) -> list:
    """The cells of a script in the percent format, from its first mark on."""
    cells = []
    for part in script.read_text(encoding="utf-8").split("\n# %%")[1:]:
        mark, _, text = part.partition("\n")
        if mark.strip() == "[markdown]":
            lines = (line.removeprefix("#").removeprefix(" ") for line in text.strip().splitlines())
            cells.append(new_markdown_cell("\n".join(lines)))
        else:
            cells.append(new_code_cell(text.strip()))
    return cells
