"""The pictures of a report, for names that matplotlib would read as something else."""

import io
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from scoring.reports.pictures import picture_of, picture_of_ranking
from scoring.reports.recording import record_of
from scoring.run import judge, prepare
from scoring.untrusted.submission import read
from tests.conftest import MODELS, make_pools


@pytest.fixture(scope="module")
def result(store):
    reference = prepare(make_pools(store), MODELS)
    return judge(read(Path("submissions/identity.py")), reference)


@pytest.fixture
def texts(monkeypatch):
    """Every text that is drawn, as the letters that are seen."""
    seen = []
    save = Figure.savefig

    def saving(figure, *places, **options):
        save(figure, *places, **options)
        for text in figure.findobj(Text):
            shown, formula = text._preprocess_math(text.get_text())
            assert not formula, shown
            seen.append(shown)

    monkeypatch.setattr(Figure, "savefig", saving)
    return seen


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a$b$", "a$b$"),
        ("$\\frac{", "$\\frac{"),
        ("\\$x\\$", "\\$x\\$"),
        ("\x1b[31m\u202e\n", r"\x1b[31m\u202e\n"),
        ("大きさ", "大きさ"),
        ("_hidden", " _hidden"),
        ("x" * 250, "x" * 32 + "… (250 characters)"),
    ],
)
def test_a_name_is_only_a_name(result, texts, name, shown):
    renamed = replace(result, submission=replace(result.submission, path=Path(f"{name}.py")))
    for picture in (picture_of(renamed, record_of(renamed)), picture_of_ranking([renamed, result], result.reference)):
        assert matplotlib.image.imread(io.BytesIO(picture)).std() > 0.05
    assert shown in texts, "above a bar"
    assert any(text.startswith(f"{shown} on digits") for text in texts)


def test_names_that_are_cut_have_a_bar_each(result, texts):
    both = [
        replace(result, submission=replace(result.submission, path=Path(f"{'x' * 100}{end}.py"))) for end in ("a", "b")
    ]
    picture_of_ranking(both, result.reference)
    assert texts.count("x" * 32 + "… (101 characters)") == 4, "two bars, whose ticks have a label on either side"
