"""The starting notebook: it runs from top to bottom, and is what its script says."""

from pathlib import Path

import jupytext
import nbclient
import nbformat

import starter_kit

FOLDER = Path(starter_kit.__file__).parent
NOTEBOOK, SCRIPT = FOLDER / "starting_kit.ipynb", FOLDER / "starting_kit.py"


def test_it_is_what_its_script_says():
    """`jupytext --to ipynb starter_kit/starting_kit.py` writes it again."""
    script, notebook = jupytext.read(SCRIPT), nbformat.read(NOTEBOOK, as_version=4)
    assert [(cell.cell_type, cell.source) for cell in script.cells] == [
        (cell.cell_type, cell.source) for cell in notebook.cells
    ]
    assert all(not cell.get("outputs") for cell in notebook.cells), "without outputs"


def test_it_runs(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "\n".join(output.get("text", "") for output in outputs)
    assert "first on digits, 64 models per pool" in printed
    assert "95 % interval" in printed
    assert "\x1b" not in printed
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
