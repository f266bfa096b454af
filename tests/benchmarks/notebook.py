"""``python -m tests.benchmarks.notebook``: writes the starting notebook from its script, with its outputs."""

import jupytext
import nbclient
import nbformat

from tests.benchmarks.variants import ROOT

FOLDER = ROOT / "starter_kit"
SCRIPT, NOTEBOOK = FOLDER / "starting_kit.py", FOLDER / "starting_kit.ipynb"


def executed() -> nbformat.NotebookNode:
    """The notebook with its outputs, and nothing that differs from run to run but these."""
    notebook = jupytext.read(SCRIPT)
    client = nbclient.NotebookClient(
        notebook, timeout=600, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    notebook.metadata.pop("language_info", None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
