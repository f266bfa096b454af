"""A competition for Codabench, from `make host` to the leaderboard."""

import io
import json
import re
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from scoring.cli import app
from scoring.hosting.codabench import COLUMNS
from scoring.hosting.codabench_yaml import CompetitionYaml
from starter_kit import tasks
from tests.hosting.conftest import MODELS, SEED, needs_bubblewrap, zip_of

FINETUNE = Path("submissions/finetune.py").read_text()
CHEAT = """
def unlearning(net, retain, forget, val):
    with open("/app/input/ref/bank.zip", "rb") as file:
        return file.read()
"""
BROKEN = """
def unlearning(net, retain, forget, val):
    net.layer9.requires_grad_(False)
"""
SLOW = """
import time

def unlearning(net, retain, forget, val):
    time.sleep(1)
"""
ERRATIC = """
import time
import torch

def unlearning(net, retain, forget, val):
    # Each run takes half of the time of retraining, and one of them casts doubt on it.
    time.sleep(0.2 + 10 * float(torch.rand(()) < 0.1))
"""


def described(folder):
    return yaml.safe_load((folder / "competition/competition.yaml").read_text())


def names_in(path):
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def checkpoints(**others):
    weights = tasks.load("digits").network().state_dict()
    content = safetensors.torch.save(weights)
    return zip_of(**{f"unlearned_checkpoint_{number}.safetensors": content for number in range(MODELS)}, **others)


class TestBundle:
    """What the organiser uploads."""

    def test_the_description_follows_the_schema_and_names_files_that_are_there(self, codabench):
        found = CompetitionYaml.model_validate(described(codabench))
        there = {str(path.relative_to(codabench / "competition")) for path in codabench.rglob("competition/**/*")}
        assert found.files <= there
        assert found.phases[0].execution_time_limit > 600

    def test_the_zip_holds_the_folder(self, codabench):
        folder = codabench / "competition"
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert names_in(codabench / "competition.zip") == files

    def test_a_date_keeps_its_time(self, codabench):
        start = described(codabench)["phases"][0]["start"]
        assert isinstance(start, str)
        ago = datetime.now(UTC) - datetime.strptime(start, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs(ago.total_seconds()) < 3600

    def test_what_participants_get_holds_neither_the_test_set_nor_the_reference(self, codabench):
        task = tasks.load("digits")
        public = codabench / "competition/public_data.zip"
        assert names_in(public) == {"retain.npz", "forget.npz", "validation.npz", "original.safetensors", "README.md"}
        secret = np.sort(task.test.image_id.numpy())
        with zipfile.ZipFile(public) as archive:
            for name in ("retain", "forget", "validation"):
                found = np.load(io.BytesIO(archive.read(f"{name}.npz")))
                assert np.array_equal(found["inputs"], task.sets[name].inputs.numpy())
                assert np.array_equal(found["targets"], task.sets[name].targets.numpy())
                assert not np.isin(found["image_id"], secret).any()
        settings = json.loads(zipfile.ZipFile(codabench / "competition/reference_data.zip").read("settings.json"))
        assert settings["seed"] == SEED
        for name in ("public_data.zip", "starting_kit.zip"):
            assert not {"settings.json", "bank.zip"} & names_in(codabench / "competition" / name)

    def test_the_words_do_not_tell_the_seed(self, codabench):
        with zipfile.ZipFile(codabench / "competition/starting_kit.zip") as kit:
            words = [path.read_bytes() for path in codabench.glob("competition/pages/*")]
            words += [kit.read("COMPETITION.md"), (codabench / "competition/competition.yaml").read_bytes()]
        assert len(words) == 6
        assert not any(str(SEED).encode() in text for text in words)

    def test_the_starting_kit_scores(self, codabench):
        kit = names_in(codabench / "competition/starting_kit.zip")
        assert {"Makefile", "COMPETITION.md", "submissions/mine.py", "scoring/run.py", "constraints.txt"} <= kit
        assert not any("__pycache__" in name or name.startswith("out/") for name in kit)

    def test_all_that_the_readme_links_to_is_in_the_starting_kit(self, codabench):
        with zipfile.ZipFile(codabench / "competition/starting_kit.zip") as kit:
            links = re.findall(r"\]\((?!http|#)([^)#]+)", kit.read("README.md").decode())
            names = set(kit.namelist())
        assert len(links) > 10
        assert [link for link in links if not any(name.startswith(link) for name in names)] == []

    def test_all_columns_are_scores(self, codabench):
        (board,) = described(codabench)["leaderboards"]
        assert [column["key"] for column in board["columns"]] == list(COLUMNS)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda found: found.update(leaderboard=found.pop("leaderboards")), "leaderboards"),
            (lambda found: found.update(version=1), "version"),
            (lambda found: found["phases"][0].update(tasks=[3]), "no task with index 3"),
            (lambda found: found["phases"][0].update(start="tomorrow"), "tomorrow"),
            (lambda found: found["phases"].append(found["phases"][0] | {"index": 1}), "must end before"),
            (lambda found: found["leaderboards"][0]["columns"].append({"index": 0}), "columns"),
            (lambda found: found["leaderboards"][0].update(primary_index=9), "no column has index 9"),
        ],
    )
    def test_a_mistake_in_the_description_is_found(self, codabench, change, message):
        found = described(codabench)
        change(found)
        with pytest.raises(ValidationError, match=message):
            CompetitionYaml.model_validate(found)


@needs_bubblewrap
class TestScoring:
    """What the worker makes of submissions."""

    def test_the_leaderboard_shows_the_one_score_and_why_the_others_have_none(
        self, codabench, worker, host_store, tmp_path
    ):
        submitted = {
            "finetune": zip_of(**{"finetune.py": FINETUNE}),
            "cheat": zip_of(**{"folder__cheat.py": CHEAT}),
            "broken": zip_of(**{"broken.py": BROKEN}),
            "models": checkpoints(),
        }
        scored = {}
        for name, content in submitted.items():
            scored[name] = worker.score(codabench, content)
            shutil.copytree(scored[name].output, tmp_path / "reports" / name)
        outputs = {name: tmp_path / "reports" / name for name in submitted}

        assert scored["finetune"].code == 0, scored["finetune"].printed
        scores = json.loads((outputs["finetune"] / "scores.json").read_text())
        report = json.loads((outputs["finetune"] / "report.json").read_text())
        assert scores["score"] == report["unlearned"]["score"]["value"]
        assert set(scores) == set(COLUMNS)
        assert f"{scores['score']:.4f}" in (outputs["finetune"] / "detailed_results.html").read_text()
        here = tmp_path / "here"
        arguments = ["score", "submissions/finetune.py", "--seed", SEED, "--models", MODELS, "--out", here]
        result = CliRunner().invoke(app, [*map(str, arguments), "--store", str(host_store)])
        assert result.exit_code == 0, result.stderr
        own = json.loads((here / "report.json").read_text())
        assert own["unlearned"]["score"] == report["unlearned"]["score"]
        assert own["retrained"] == report["retrained"]

        for name, reason in {
            "cheat": "Permission denied: '/app/input/ref/bank.zip'",
            "broken": "'DigitNet' object has no attribute 'layer9'",
            "models": "This competition takes code and no models",
        }.items():
            assert scored[name].code == 1
            assert {path.name for path in outputs[name].iterdir()} == {"detailed_results.html", "failure.json"}
            assert reason in scored[name].printed
            assert reason.split("'")[0] in (outputs[name] / "detailed_results.html").read_text()
            assert "/app/program" not in scored[name].printed.partition("broken.py")[0]

        result = CliRunner().invoke(app, ["leaderboard", "--reports", str(tmp_path / "reports"), "--out", str(here)])
        assert result.exit_code == 0, result.stderr
        page = (here / "digits.html").read_text()
        assert page.count(f"{scores['score']:.4f}") >= 1
        for reason in ("Permission denied", "no attribute", "takes code and no models"):
            assert reason in page

    def test_what_takes_longer_than_allowed_has_no_score(self, codabench, worker):
        scored = worker.score(codabench, zip_of(**{"slow.py": SLOW}))
        assert scored.code == 1
        assert "of the time that retraining takes. At most 20% is allowed" in scored["failure.json"]

    def test_a_run_that_sleeps_casts_no_doubt_on_the_others(self, codabench, worker):
        scored = worker.score(codabench, zip_of(**{"erratic.py": ERRATIC}))
        assert scored.code == 1
        assert "At most 20% is allowed" in scored["failure.json"]

    def test_nothing_that_participants_see_tells_the_seed(self, codabench, worker):
        for content in (FINETUNE, BROKEN):
            scored = worker.score(codabench, zip_of(**{"mine.py": content}))
            shown = [scored.printed, *(scored[name] for name in scored.names)]
            assert len(shown) > 2
            assert not any(str(SEED) in one for one in shown)
        assert "command" in json.loads(worker.score(codabench, zip_of(**{"mine.py": FINETUNE}))["report.json"])["run"]

    def test_a_link_leads_nowhere(self, codabench, worker, monkeypatch):
        def unpacked(folder):
            (folder / "input/res/mine.py").symlink_to("../ref/settings.json")
            (folder / "input/res/folder").symlink_to("../ref")

        scored = worker.score(codabench, zip_of(), unpacked)
        assert scored.code == 1
        assert "found nothing" in scored["failure.json"]

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            ({}, "found nothing"),
            ({"a.py": FINETUNE, "b.py": FINETUNE}, "found a.py, b.py"),
            ({"a.txt": "words"}, "found a.txt"),
            ({"a.py": "def learning(net, train, val): ...\n" + FINETUNE}, "brings its own learning"),
            ({"a.py": "x = 1"}, "unlearning"),
        ],
    )
    def test_what_is_no_submission_gets_a_clear_message(self, codabench, worker, files, message):
        scored = worker.score(codabench, zip_of(**files))
        assert scored.code == 1
        assert message in scored["failure.json"]
        assert scored.names == {"detailed_results.html", "failure.json"}

    def test_a_competition_of_models(self, host, worker):
        folder = host("codabench", "--accept", "checkpoints")
        scored = worker.score(folder, checkpoints())
        assert scored.code == 0, scored.printed
        assert json.loads(scored["scores.json"])["score"] == 0, "equal models are worth nothing"
        by_a_mac = checkpoints(**{"__MACOSX/._unlearned_checkpoint_0.safetensors": b"x", ".DS_Store": b"x"})
        assert worker.score(folder, by_a_mac).code == 0
        scored = worker.score(folder, zip_of(**{"finetune.py": FINETUNE}))
        assert scored.code == 1
        assert "unlearned_checkpoint" in scored["failure.json"]

    def test_a_damaged_reference_is_the_organisers_fault(self, codabench, worker, tmp_path):
        folder = tmp_path / "damaged"
        shutil.copytree(codabench, folder)
        path = folder / "competition/reference_data.zip"
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        files["bank.zip"] = files["bank.zip"][:1000]
        path.write_bytes(zip_of(**files))
        scored = worker.score(folder, zip_of(**{"finetune.py": FINETUNE}))
        assert scored.code == 2
        assert "not your fault" in scored["detailed_results.html"]
