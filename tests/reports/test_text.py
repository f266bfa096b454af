"""What a report says of models that answer in words."""

import io
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from scoring import run
from scoring.compare import Comparison
from scoring.judging.language import utilities
from scoring.judging.truth_ratio import forget_quality, truth_ratio
from scoring.reports import comparison, conversations, files, text
from scoring.reports.record import Report
from scoring.reports.recording import record_of
from scoring.reports.table import table
from starter_kit import tasks
from starter_kit.errors import InputError
from tests.conftest import quiet_pools

pytestmark = pytest.mark.usefixtures("few_splits")

MODELS = 8
AUTHORS, HAZARDS = tasks.load("authors"), tasks.load("hazards")


@pytest.fixture(scope="module", params=[AUTHORS, HAZARDS], ids=["authors", "hazards"])
def result(request, tmp_path_factory):
    task = request.param
    task = replace(task, recipe=replace(task.recipe, epochs=12))
    return run.run(Path("submissions/simnpo.py"), quiet_pools(tmp_path_factory.mktemp("store"), task), MODELS)


@pytest.fixture(scope="module")
def report(result):
    return record_of(result)


def test_models_that_learn_nothing_are_reported_before_anything_else(tmp_path):
    """Whole sentences that are never right give no ratio of accuracies."""
    idle = replace(AUTHORS, recipe=replace(AUTHORS.recipe, epochs=1, learning_rate=1e-9))
    with pytest.raises(InputError, match="authors have zero accuracy on the retain set, so there is no ratio"):
        run.run(Path("submissions/simnpo.py"), quiet_pools(tmp_path, idle), MODELS)


def printed(*tables):
    console = Console(width=110, file=io.StringIO())
    for one in tables:
        console.print(one)
    return console.file.getvalue()


def test_every_forget_example_has_its_question_and_what_is_said_to_it(result, report):
    found = report.text.conversations
    assert [one.example for one in found] == list(range(len(result.unlearned.score.epsilon)))
    for one in found:
        assert one.question.endswith("?")
        assert one.epsilon == result.unlearned.score.epsilon[one.example]
        for said in (one.unlearned, one.retrained):
            assert 0 < sum(answer.share for answer in said) <= 1 + 1e-9
            assert said == sorted(said, key=lambda answer: -answer.share)
    assert not any("<" in f"{one.question}{one.answer}{one.original}" for one in found), "a special token is no word"


def test_what_is_said_agrees_with_the_accuracies(result, report):
    """Whoever is right says the true answer."""
    found = report.text.conversations
    right = np.mean([one.original == one.answer for one in found])
    assert right == pytest.approx(report.floor.accuracy.forget, abs=1e-9)
    of_retrained = [sum(said.share for said in one.retrained if said.text == one.answer) for one in found]
    # Only the most frequent answers are listed.
    assert np.mean(of_retrained) <= report.retrained.accuracy.forget + 1e-9
    assert np.mean(of_retrained) > 0.5 * report.retrained.accuracy.forget


def test_the_measures_are_tofus(result, report):
    if result.reference.pools.task.name == "hazards":
        assert report.text.forget_quality is None
        assert report.text.utility is None
        return
    pools = [pool.probes for pool in (result.unlearned.outputs, result.reference.retrained)]
    ratios = [truth_ratio(one["probe.forget.paraphrased"], one["probe.forget.perturbed"]) for one in pools]
    naive = [forget_quality(ratios[0][model], ratios[1][model]) for model in range(MODELS)]
    assert report.text.forget_quality == pytest.approx(np.median(naive))
    assert report.text.passing == pytest.approx(np.mean(np.array(naive) > 0.05))
    assert 0 < report.text.utility < 1
    assert report.text.retrained_utility > 0.3


def test_utility_falls_if_a_model_says_nothing_right(result):
    outputs = result.reference.retrained
    if "probe.world.perturbed" not in outputs.probes:
        pytest.skip("this task has no wrong answers")
    full = {name: np.ones_like(outputs.probes[f"probe.{name}.answer"]) for name in ("retain", "world")}
    half = full | {"world": full["world"] / 2}
    assert (utilities(outputs, half) < utilities(outputs, full)).all()
    assert not utilities(outputs, full | {"world": full["world"] * 0}).any()


def test_rouge_is_the_share_of_the_true_words_in_their_order():
    assert text._recall("they were born in Adril", "they were born in Adril") == 1
    assert text._recall("they were born in Adril", "they were born in Borun") == pytest.approx(4 / 5)
    assert text._recall("they were born in Adril", "Adril in") == pytest.approx(1 / 5)


def test_without_rouge_there_is_a_sentence_instead_of_utility(result, monkeypatch):
    if result.reference.pools.task.name == "hazards":
        pytest.skip("this task has no utility")
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    report = record_of(result)
    assert report.text.utility is None
    assert any("Model utility is unavailable without rouge-score" in note for note in report.notes)
    assert any(".[language]" in note for note in report.notes)


def test_the_tables_show_them(report):
    shown = printed(table(report), conversations.table(report))
    assert "What the models say" in shown
    assert "worst: " in shown
    if report.text.utility is not None:
        assert "KS p-value (median)" in shown
        assert "model utility" in shown
    else:
        assert "forget after relearning" in shown


def test_a_comparison_shows_what_tells_most(result, report):
    """TOFU's test beside the score, or what comes back after relearning."""
    compared = Comparison(result.reference, [result], None, {}, {}, {"ceiling": {}, "floor": {}})
    shown = printed(comparison.table(compared, comparison.record_of_comparison(compared)))
    (row,) = [line for line in shown.splitlines() if line.startswith("simnpo ")]
    figure = report.relearning.unlearned[-1] if report.relearning else report.text.forget_quality
    assert row.split()[5] == f"{figure:.3f}"
    assert ("relearning" if report.relearning else "KS") in shown
    assert "epsilon" not in shown


def test_relearning_is_recorded_for_all_three(report):
    if report.relearning is None:
        pytest.skip("this task has no harmless examples")
    curves = report.relearning.unlearned, report.relearning.retrained, report.relearning.original
    assert all(len(curve) == len(report.relearning.steps) for curve in curves)
    assert curves[2][0] > curves[1][0] + 0.3


def test_the_files_hold_it_and_the_outputs_can_be_read_again(result, report, tmp_path):
    files.write(result, report, tmp_path)
    assert Report.model_validate_json((tmp_path / "report.json").read_text()) == report
    saved = files.load_outputs(tmp_path / "unlearned.npz")
    assert set(saved.probes) == set(result.unlearned.outputs.probes)
    for name, values in saved.probes.items():
        np.testing.assert_array_equal(values, result.unlearned.outputs.probes[name])
    assert matplotlib.image.imread(tmp_path / "report.png").std() > 0.05
