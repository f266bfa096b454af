"""report.json and its published schema."""

import json
import math
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from scoring.judging.score import RULES_VERSION
from scoring.reports import record
from scoring.reports.record import Report
from tests.conftest import MODELS

SCHEMA = Path(record.__file__).with_name("report.schema.json")


@pytest.fixture(scope="module")
def report(kit_once):
    return json.loads((kit_once / "report.json").read_text())


@pytest.fixture(scope="module")
def kit_once(store, tmp_path_factory):
    """The report folder of one real run."""
    folder = tmp_path_factory.mktemp("report")
    options = {"--models": MODELS, "--store": store, "--out": folder, "--backend": "serial"}
    arguments = [str(part) for pair in options.items() for part in pair]
    command = [sys.executable, "-m", "scoring", "score", "submissions/identity.py", *arguments]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    return folder


def test_the_published_schema_is_that_of_the_code():
    found = json.loads(SCHEMA.read_text())
    assert found == Report.model_json_schema(), "python -m scoring.reports.record > scoring/reports/report.schema.json"


def test_a_real_report_follows_the_published_schema(report):
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("part", ["unlearned", "run", "rules", "ceiling", "notes"])
def test_a_report_that_lacks_a_part_does_not(report, part):
    lacking = {name: value for name, value in report.items() if name != part}
    with pytest.raises(jsonschema.ValidationError, match=part):
        jsonschema.validate(lacking, json.loads(SCHEMA.read_text()))
    with pytest.raises(ValidationError):
        Report.model_validate(lacking)


def test_it_says_what_was_run_where_and_by_which_rules(report):
    assert report["schema_version"] == 7
    assert report["rules"]["version"] == RULES_VERSION
    assert report["run"]["learner"] == "recipe"
    assert report["run"]["seed"] == 0
    assert {"cpu", "cpu_capability", "device", "python", "torch", "numpy"} <= set(report["run"]["host"])
    assert report["unlearned"]["epsilon"]["largest_possible"] == pytest.approx(math.log(MODELS - 1))
    time = report["time"]
    assert time["budget"] == 0.2
    assert time["ratio"] == pytest.approx(time["seconds"] / time["retraining_seconds"])
    assert time["verdict"] in ("within", "over", "unsure")
    assert report["run"]["isolated"] is False
    assert any("Nothing was isolated: BACKEND=serial" in note for note in report["notes"])


def test_it_says_how_to_make_it_again(report):
    assert report["run"]["command"] == "make score SUBMISSION=submissions/identity.py TASK=digits MODELS=8 SEED=0"


def test_it_says_what_so_few_models_can_show(report):
    note = "With 8 models the largest finite epsilon is ln(8 - 1) = 1.95, so many methods look alike."
    assert any(note in one for one in report["notes"])
