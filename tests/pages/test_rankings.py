"""Pages of several submissions: comparisons and leaderboards."""

import csv
import html
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest

from scoring.reports import leaderboard
from scoring.reports.comparison_record import ComparisonRecord, Failed
from scoring.reports.page.ranking import comparison_page
from starter_kit.errors import InputError
from tests.benchmarks.simulated import pool
from tests.reports.test_language import one
from tests.reports.test_table import report


def named(name, score, seed=0, models=64, interval=(0.01, 0.09), **changes):
    made = one(name, score)
    run = made.run.model_copy(update={"seed": seed, "models": models})
    return made.model_copy(update={"run": run, "interval": interval, **changes})


def write(folder, made):
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(made.model_dump_json())
    (folder / "report.html").write_text("<p>page")


@pytest.fixture
def reports(tmp_path):
    """Two submissions on two seeds, and some that cannot be compared with them."""
    root = tmp_path / "reports"
    for seed in (0, 1):
        write(root / f"seed-{seed}/good", named("good", (0.05, 0.06)[seed], seed))
        write(root / f"seed-{seed}/bad", named("bad", 0.01, seed))
    write(root / "few/good", named("good", 0.2, models=16))
    part = report().request.model_copy(update={"examples": 5})
    write(root / "part/good", named("good", 0.3, seed=2, request=part))
    old = report().rules.model_copy(update={"version": 0})
    write(root / "old/good", named("good", 0.4, seed=3, rules=old))
    (root / "broken").mkdir()
    (root / "broken/report.json").write_text("{}")
    return root


def table_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_leaderboard_has_a_row_per_submission_and_a_dot_per_seed(reports, tmp_path):
    (page,) = leaderboard.write(reports, tmp_path / "board")
    text = page.read_text()
    rows = dict(re.findall(r'<th scope="row">(?:<a [^>]*>)?([\w]+).*?</th>(.*?)</tr>', text, re.DOTALL))
    assert set(rows) == {"good", "bad", "ceiling", "floor"}
    assert rows["good"].count("<circle") == 2
    assert "0.0550" in rows["good"]
    assert rows["good"].count('class="interval"') == 2
    assert 'href="./../reports/seed-0/good/report.html"' in text


def test_what_cannot_be_compared_stands_apart_with_the_reason(reports, tmp_path):
    (page,) = leaderboard.write(reports, tmp_path / "board")
    apart = page.read_text().partition("Not ranked</h2>")[2]
    assert "16 models per pool instead of 64" in apart
    assert "5 examples to forget instead of 95" in apart
    assert "scored under rules version 0, not 1" in apart
    assert "broken: written by another version of the kit, or damaged" in apart


def outputs_of(folder, confidence):
    """Judged outputs of 32 models beside a report."""
    rng = np.random.default_rng(0)
    for name, shift in (("unlearned", confidence), ("retrained", 0.0)):
        outputs = pool(rng.normal(shift, 1, (32, 20)), rng)
        (folder / f"{name}.npz").write_bytes(outputs.to_bytes())


def test_a_submission_that_lacks_a_seed_has_no_group(tmp_path):
    """Its mean is over other originals, and they may be easier ones."""
    root = tmp_path / "reports"
    for name, seeds, shift in (("all", (0, 1), 0.2), ("far", (0, 1), 3.0), ("half", (0,), 0.2)):
        for seed in seeds:
            write(root / f"seed-{seed}/{name}", named(name, 1 / (10 + 100 * shift), seed, models=32))
            outputs_of(root / f"seed-{seed}/{name}", shift)
    (page,) = leaderboard.write(root, tmp_path / "board")
    row = re.compile(r'<tr data-group="(\d*)".*?<th scope="row">(?:<a [^>]*>)?(\w+)', re.DOTALL)
    found = {name: group for group, name in row.findall(page.read_text())}
    assert found == {"all": "1", "far": "2", "half": "", "ceiling": "", "floor": ""}
    assert "A submission without a group lacks a seed, or outputs to compare." in page.read_text()


def test_scores_under_old_rules_alone_are_not_ranked(tmp_path):
    old = report().rules.model_copy(update={"version": 0})
    write(tmp_path / "reports/good", named("good", 0.4, rules=old))
    (page,) = leaderboard.write(tmp_path / "reports", tmp_path / "board")
    assert "No score can be compared." in page.read_text()
    assert "scored under rules version 0, not 1" in page.read_text()
    assert table_of(tmp_path / "board/digits.csv") == []


def test_the_ceiling_and_the_floor_have_figures(reports, tmp_path):
    (page,) = leaderboard.write(reports, tmp_path / "board")
    record = named("good", 0.05)
    for name, accuracy in (("ceiling", record.retrained.accuracy), ("floor", record.floor.accuracy)):
        row = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', page.read_text(), re.DOTALL)[1]
        assert f"<td>{accuracy.forget:.3f}</td>" in row


@pytest.mark.parametrize("task", ["../../evil", "/evil", "", "a" * 300, "digits:100", "digits-100", "ziffern ä#%"])
def test_a_task_of_any_name_has_its_own_files_in_the_folder(tmp_path, task):
    """A report may be a stranger's."""
    for number, name in enumerate(("digits:100", task)):
        made = named("good", 0.05)
        source = made.task.model_copy(update={"name": name})
        write(tmp_path / f"reports/{number}", made.model_copy(update={"task": source}))
    pages = leaderboard.write(tmp_path / "reports", tmp_path / "a/b/board")
    assert len({*pages}) == len({"digits:100", task})
    assert all(page.is_file() and page.parent == tmp_path / "a/b/board" for page in pages)
    assert {path.name for path in tmp_path.iterdir()} == {"reports", "a"}


def test_links_lead_to_folders_of_any_name(tmp_path):
    hostile = ("c#d", "e%20f", "g?h", "javascript:alert(1)", "plain", 'quo"te')
    for number, name in enumerate(hostile):
        write(tmp_path / "reports" / name, named(f"good{number}", 0.05))
    # The page lies in a folder that is linked to.
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "board").symlink_to(tmp_path / "far/away")
    (page,) = leaderboard.write(tmp_path / "reports", tmp_path / "board")
    links = [html.unescape(link) for link in re.findall(r'<a href="([^"]*report.html)"', page.read_text())]
    assert len(links) == len(hostile)
    for link in links:
        assert link.startswith("./")
        assert (page.resolve().parent / unquote(link)).is_file()


def test_reports_of_a_task_that_has_changed_stand_apart(tmp_path):
    for number, digest in enumerate(("new", "new", "old")):
        made = named(f"good{number}", 0.05)
        source = made.task.model_copy(update={"sha256": digest})
        write(tmp_path / f"reports/{number}", made.model_copy(update={"task": source}))
    (page,) = leaderboard.write(tmp_path / "reports", tmp_path / "board")
    assert len(table_of(tmp_path / "board/digits.csv")) == 2
    assert "good2, seed 0</a>: the task has changed since" in page.read_text()


def test_a_submission_that_was_edited_between_seeds_is_not_averaged(tmp_path):
    for seed, text in ((0, "old"), (1, "new")):
        made = named("good", (0.01, 0.15)[seed], seed)
        source = made.submission.model_copy(update={"sha256": text})
        write(tmp_path / f"reports/{seed}", made.model_copy(update={"submission": source}))
        os.utime(tmp_path / f"reports/{seed}/report.json", (seed, seed))
    (page,) = leaderboard.write(tmp_path / "reports", tmp_path / "board")
    assert [float(row["score"]) for row in table_of(tmp_path / "board/digits.csv")] == [0.15]
    assert "good, seed 0</a>: the submission has changed since" in page.read_text()


def test_reports_with_other_judges_and_names_of_formulas_are_tabulated(tmp_path):
    write(tmp_path / "reports/one", named("=HYPERLINK(1)", 0.05))
    made = named("good", 0.04)
    write(tmp_path / "reports/two", made.model_copy(update={"judges": {**made.judges, "newest": 0.5}}))
    leaderboard.write(tmp_path / "reports", tmp_path / "board")
    rows = {row["submission"]: row for row in table_of(tmp_path / "board/digits.csv")}
    assert set(rows) == {"'=HYPERLINK(1)", "good"}
    assert rows["good"]["newest"] == "0.5"


def test_reports_in_linked_folders_are_found_once(reports, tmp_path):
    (reports / "linked").symlink_to(tmp_path / "elsewhere")
    (reports / "loop").symlink_to(reports)
    write(tmp_path / "elsewhere/third", named("third", 0.02))
    leaderboard.write(reports, tmp_path / "board")
    names = [row["submission"] for row in table_of(tmp_path / "board/digits.csv")]
    assert sorted(names) == ["bad", "bad", "good", "good", "third"]


def test_tables_and_lines_have_every_score(reports, tmp_path):
    leaderboard.write(reports, tmp_path / "board")
    rows = table_of(tmp_path / "board/digits.csv")
    assert sorted((row["submission"], row["seed"], float(row["score"])) for row in rows) == [
        ("bad", "0", 0.01), ("bad", "1", 0.01), ("good", "0", 0.05), ("good", "1", 0.06),
    ]  # fmt: skip
    assert json.loads((tmp_path / "board/digits.json").read_text())[0]["models"] == 64
    lines = [json.loads(line) for line in (tmp_path / "board/results.jsonl").read_text().splitlines()]
    assert len(lines) == 7, "those that cannot be compared, too"


def test_the_lines_of_the_readme_log_every_score_to_a_tracker(reports, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n([^`]*results\.jsonl[^`]*)```", Path("README.md").read_text())
    leaderboard.write(reports, tmp_path / "out/leaderboard")
    logged = []
    run = SimpleNamespace(log=logged.append, finish=lambda: None)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **options: run))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert sorted(one["score"] for one in logged) == [0.01, 0.01, 0.05, 0.06, 0.2, 0.3, 0.4]


def test_of_the_same_score_twice_the_latest_counts(reports, tmp_path):
    write(reports / "again/good", named("good", 0.07, 0))
    leaderboard.write(reports, tmp_path / "board")
    rows = table_of(tmp_path / "board/digits.csv")
    assert [float(row["score"]) for row in rows if (row["submission"], row["seed"]) == ("good", "0")] == [0.07]


def test_a_folder_without_reports_is_an_error(tmp_path):
    with pytest.raises(InputError, match="There is no report below"):
        leaderboard.write(tmp_path, tmp_path / "board")


def comparison(**changes):
    figures = {"score": 0.2, "retain": 1.0, "forget": 0.9, "test": 0.99, "u_lira_tpr": 0.01}
    return ComparisonRecord(
        title="digits",
        command="make compare",
        task="digits",
        seed=0,
        models=64,
        ranking=[named("good", 0.05), named("<b>bad</b>", 0.01, interval=None)],
        groups={"good": 1, "<b>bad</b>": 2},
        band=(0.15, 0.25),
        reference={"ceiling": figures, "floor": figures | {"score": 0.0}},
        failed=[Failed(name="broken", reason="It <em>failed</em>.")],
        unsuited=[],
        **changes,
    )


def test_names_and_reasons_of_strangers_are_only_text():
    page = comparison_page(comparison(), [])
    assert "<b>bad" not in page
    assert "<em>" not in page
    assert "&lt;b&gt;bad" in page
    assert "It &lt;em&gt;failed" in page


@pytest.mark.browser
def test_a_comparison_in_a_browser(opened, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    path = tmp_path / "comparison.html"
    path.write_text(comparison_page(comparison(), ["Something to know."]))
    page = opened(path, viewport={"width": 390, "height": 800})
    assert page.trouble == []
    assert Axe().run(page).violations_count == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    def names():
        return page.locator("#rows tbody th").all_inner_texts()

    assert names() == ["ceiling", "good", "<b>bad</b>", "floor"]
    page.get_by_role("button", name="group").click()
    page.get_by_role("button", name="group").click()
    assert names()[:2] == ["good", "<b>bad</b>"], "what has no group comes last"


@pytest.mark.browser
def test_columns_can_be_chosen(opened, tmp_path):
    path = tmp_path / "comparison.html"
    path.write_text(comparison_page(comparison(), []))
    page = opened(path, viewport={"width": 1400, "height": 800})
    page.get_by_text("Choose columns").click()
    shown = page.locator("#rows tbody tr").first.locator("td:visible")
    before = shown.count()
    for name, heading, visible in (("forget", "forget", True), ("u_lira_tpr", "U-LiRA TPR", False)):
        column, box = page.locator(f"th[data-sort={name}]"), page.get_by_label(heading, exact=True)
        assert column.is_visible() == box.is_checked() == visible
        box.click()
        assert column.is_visible() != visible
    assert shown.count() == before
    assert page.trouble == []
