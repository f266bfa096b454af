"""`make show`: the newest page, in a browser if there is one."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def reports(tmp_path):
    """An old report, then a comparison, whose reports are written after its page."""
    names = ("old/report.html", "new one/comparison.html", "new one/finetune/report.html", "new one/a.html")
    for at, name in enumerate(names):
        path = tmp_path / "reports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (at, at))
    return tmp_path / "reports"


def show(reports, **environment):
    command = [sys.executable, "-m", "scoring", "show", "--reports", str(reports)]
    environment |= {"COLUMNS": "300", "TERMINAL_WIDTH": "300", "PYTHONPATH": str(Path(__file__).parents[2])}
    # Not in the checkout, whose own leaderboard may be newer.
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=reports)


def test_the_newest_page_is_opened(reports, tmp_path):
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{seen}"\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    result = show(reports, BROWSER=str(browser), PATH=os.environ["PATH"])
    assert result.returncode == 0, result.stderr
    assert seen.read_text().strip() == (reports / "new one/comparison.html").as_uri()


def test_without_a_browser_its_path_is_printed(reports, tmp_path):
    result = show(reports, PATH=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert str(reports / "new one/comparison.html") in result.stdout


def test_a_report_that_was_made_later_is_newer_than_a_comparison(reports, tmp_path):
    os.utime(reports / "old/report.html", (9, 9))
    assert str(reports / "old/report.html") in show(reports, PATH=str(tmp_path)).stdout


def test_without_a_page_it_says_what_to_do(tmp_path):
    result = show(Path(tmp_path), PATH=str(tmp_path))
    assert result.returncode == 1
    assert "No page found below" in result.stderr
    assert "Run make score first." in result.stderr
