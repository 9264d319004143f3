"""The notebook runs from its first cell to its last, and is committed without outputs."""

from pathlib import Path

import pytest

from tests.conftest import PROJECT

NOTEBOOK = PROJECT / "docs" / "first_steps.ipynb"


def test_it_has_no_outputs():
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own event loops
def test_it_runs(tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in shown if "image/png" in output.get("data", {})]
    printed = "".join(output.get("text", "") for output in shown)
    assert len(pictures) == 3
    assert all(metric in printed for metric in ("fid", "precision", "coverage"))
    assert Path(next(tmp_path.glob("logs/*/*")), "evaluation.json").exists()
