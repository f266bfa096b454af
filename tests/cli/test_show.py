"""`make show`: the newest page, in a browser if there is one."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def reports(tmp_path):
    """Two pages, of which the comparison is newer, and a newer file that is no page."""
    for at, (folder, name) in enumerate(
        [("old", "report.html"), ("new one", "comparison.html"), ("new one", "a.html")]
    ):
        path = tmp_path / "reports" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (at, at))
    return tmp_path / "reports"


def show(reports, **environment):
    command = [sys.executable, "-m", "scoring", "show", "--reports", str(reports)]
    environment |= {"COLUMNS": "300", "TERMINAL_WIDTH": "300", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


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
    assert str(reports / "new one/comparison.html") in result.stdout + result.stderr


def test_without_a_page_it_says_what_to_do(tmp_path):
    result = show(Path(tmp_path), PATH=str(tmp_path))
    assert result.returncode == 1
    assert "There is no page below" in result.stderr
    assert "Run make score first." in result.stderr
