"""The starting notebook: it runs from top to bottom, and is what its script says."""

import jupytext
import nbformat
import pytest

from tests.benchmarks.notebook import NOTEBOOK, SCRIPT, executed


def test_it_is_what_its_script_says():
    """`python -m tests.benchmarks.notebook` writes it again."""
    script, notebook = jupytext.read(SCRIPT), nbformat.read(NOTEBOOK, as_version=4)
    assert [(cell.cell_type, cell.source) for cell in script.cells] == [
        (cell.cell_type, cell.source) for cell in notebook.cells
    ]
    assert all(cell.get("outputs") or "print" not in cell.source for cell in notebook.cells), "with outputs, to be read"
    assert NOTEBOOK.stat().st_size < 200_000


@pytest.mark.slow
def test_it_runs():
    outputs = [output for cell in executed().cells for output in cell.get("outputs", [])]
    printed = "\n".join(output.get("text", "") for output in outputs)
    assert "first on digits, 64 models per pool" in printed
    assert "95% interval" in printed
    assert "\x1b" not in printed
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
