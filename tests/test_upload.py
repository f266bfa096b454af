"""Kaggle's own client against a server on this machine: what is sent, what is told, what is never shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from starter_kit.kaggle.bundle import bundle, current
from starter_kit.kaggle.client import Patience, connect
from starter_kit.kaggle.errors import KaggleError
from starter_kit.kaggle.past import past_submissions
from starter_kit.kaggle.upload import Pace, Scored, Uploader
from tests.kaggle_server import TOKEN, Fault, KaggleServer

ROOT = Path(__file__).parents[1]
SOURCE = (
    '"""Nothing."""\n\nHELPER = "a helper of mine"\n\n\ndef unlearning(net, retain, forget, val):\n    return net\n'
)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The server, with an environment in which Kaggle's client knows no other."""
    for name in [name for name in os.environ if name.startswith("KAGGLE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (tmp_path / "home/.kaggle").mkdir(parents=True)
    (tmp_path / "home/.kaggle/access_token").write_text(TOKEN)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home/.kaggle"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    with KaggleServer() as server:
        from kagglesdk import kaggle_env

        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, server.url)
        from kaggle.api.kaggle_api_extended import KaggleApi

        monkeypatch.setattr(KaggleApi, "args", ["--local"])
        monkeypatch.setattr(KaggleApi, "config", str(tmp_path / "home/.kaggle/kaggle.json"))
        assert KaggleApi().build_kaggle_client().http_client()._endpoint.startswith("http://127.0.0.1:")
        server.calls.clear()
        yield server


@pytest.fixture
def made(tmp_path):
    """A bundle."""
    (tmp_path / "mine.py").write_text(SOURCE)
    return bundle(tmp_path / "mine.py", folder=tmp_path / "bundles")


class Told(list):
    """What a person sees and how long the program waits, without the waiting."""

    def __init__(self):
        super().__init__()
        self.waits = []

    @property
    def patience(self):
        return Patience(attempts=4, sleep=self.waits.append)

    def uploader(self):
        api = connect(self.patience)
        assert api.build_kaggle_client().http_client()._endpoint.startswith("http://127.0.0.1:")
        return Uploader(api, self.patience, Pace(sleep=lambda seconds: None), self.append)


@pytest.fixture
def told():
    return Told()


def test_from_a_bundle_to_a_score(server, made, told):
    assert told.uploader().upload(made) == Scored(101, public="0.0461", private="0.0598")
    (sent,) = server.pushed
    assert sent["slug"] == "someone/unlearning-mine"
    assert sent["newTitle"] == "Unlearning mine"
    assert (sent["isPrivate"], sent["enableGpu"], sent["enableInternet"]) == (True, True, False)
    assert sent["competitionDataSources"] == ["neurips-2023-machine-unlearning"]
    assert SOURCE in [cell["source"].partition("\n")[2] for cell in json.loads(sent["text"])["cells"]]
    (submitted,) = server.submitted
    assert submitted["competitionName"] == "neurips-2023-machine-unlearning"
    assert (submitted["kernelOwner"], submitted["kernelSlug"]) == ("someone", "unlearning-mine")
    assert (submitted["kernelVersion"], submitted["fileName"]) == (1, "submission.zip")
    assert submitted["submissionDescription"] == f"mine {made.submission_sha256[:12]}, version 1"
    assert [line.split(",")[0] for line in told] == [
        "pushed version 1 of https://www.kaggle.com/code/someone/unlearning-mine",
        "the notebook's run: queued",
        "the notebook's run: running",
        "the notebook's run: complete",
        "submitted as number 101",
        "submission 101: pending",
        "submission 101: complete",
    ]
    assert told.waits == []


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(server, made, told):
    server.faults["SaveKernel"] = [Fault(429, "Too many requests", retry_after="17"), Fault(429, "Too many requests")]
    server.faults["GetKernelSessionStatus"] = [Fault(503, "Unavailable")]
    assert told.uploader().upload(made).private == "0.0598"
    assert told.waits == [17, 4, 2]
    assert len(server.pushed) == 1


def test_a_broken_connection_is_tried_again(server, made, told):
    server.faults["GetKernelSessionStatus"] = [Fault()]
    server.faults["IntrospectToken"] = [Fault()]
    server.faults["ListSubmissions"] = [Fault(), Fault()]
    assert told.uploader().upload(made).private == "0.0598"
    assert len(told.waits) == 4


@pytest.mark.parametrize("fault", [Fault(heard=True), Fault(heard=False)], ids=["heard", "not heard"])
def test_a_submission_of_which_the_answer_is_lost_is_made_once(server, made, told, fault):
    server.faults["CreateCodeSubmission"] = [fault]
    assert told.uploader().upload(made).ref == 101
    assert len(server.submitted) == 1


def test_a_connection_that_stays_away_is_told(server, made, told):
    uploader = told.uploader()
    server.faults["GetKernelSessionStatus"] = [Fault()] * 9
    with pytest.raises(
        KaggleError, match=r"The connection to Kaggle broke .*What runs there goes on; make submissions"
    ):
        uploader.upload(made)
    assert told.waits == [2, 4, 8]


def test_no_token(server, told, tmp_path):
    (tmp_path / "home/.kaggle/access_token").unlink()
    with pytest.raises(KaggleError, match=r"There is no Kaggle token here. .* Generate New Token at https://"):
        connect(told.patience)
    assert server.calls == []


def test_a_token_that_kaggle_does_not_know(server, told, tmp_path):
    (tmp_path / "home/.kaggle/access_token").write_text("another")
    with pytest.raises(KaggleError, match="Kaggle refuses the token that is here: it is wrong, or expired"):
        connect(told.patience)
    assert "SaveKernel" not in server.calls


def test_a_key_that_kaggle_does_not_know(server, made, told, tmp_path, monkeypatch):
    (tmp_path / "home/.kaggle/access_token").unlink()
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "0123456789abcdef")
    uploader = told.uploader()
    with pytest.raises(KaggleError, match="Kaggle refuses the token that is here") as caught:
        uploader.upload(made)
    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "Phone verification is required to use a GPU."}, "Verify yours at https://www.kaggle.com/settings"),
        ({"error": "Maximum batch GPU session count of 2 reached."}, "all GPU sessions or hours .* are in use. Stop"),
        ({"error": "You must accept this competition's rules."}, "machine-unlearning/rules, press Late Submission"),
        ({"error": "Something new."}, "Kaggle refused with the words 'Something new.'"),
        ({"invalidCompetitionSources": ["nothing-such"]}, "did not give the notebook the data of nothing-such"),
    ],
)
def test_a_push_that_is_refused(server, made, told, answer, message):
    server.push_answer = answer
    with pytest.raises(KaggleError, match=message):
        told.uploader().upload(made)
    assert server.submitted == []
    assert "GetKernelSessionStatus" not in server.calls


def test_a_run_that_failed_shows_the_end_of_its_log(server, made, told, tmp_path):
    server.runs = ["RUNNING", "ERROR"]
    lines = [f"line {number}\n" for number in range(40)] + ["RuntimeError: no such layer\n"]
    server.log = json.dumps([{"stream_name": "stderr", "time": 1, "data": line} for line in lines])
    with pytest.raises(KaggleError) as caught:
        told.uploader().upload(made)
    assert "The notebook's run failed." in str(caught.value)
    assert "  | line 39\n  | RuntimeError: no such layer" in str(caught.value)
    assert "line 20" not in str(caught.value)
    assert server.submitted == []
    assert sorted(path.name for path in made.folder.iterdir()) == ["kaggle.log", "kernel-metadata.json", "mine.ipynb"]
    assert not list(tmp_path.rglob("evil")), "a file was named by the server"


def test_a_run_that_was_cancelled(server, made, told):
    server.runs = ["CANCEL_ACKNOWLEDGED"]
    with pytest.raises(KaggleError, match="The notebook's run was cancelled"):
        told.uploader().upload(made)


def test_no_submission_left_is_told_before_a_gpu_is_used(server, made, told):
    server.limits = {"numToday": 5, "numTotal": 9, "numAllowedNow": 0}
    with pytest.raises(KaggleError, match=r"The day's submissions are used up: 5 were made today. Wait until midnight"):
        told.uploader().upload(made)
    assert server.pushed == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Submission not allowed: daily submission limit reached.", "the day's submissions are used up"),
        ("This competition has ended and is not accepting submissions.", r"takes no late submissions .*\n  1. Open"),
        ("Not Found", r"the words 'Not Found'. Submit it on the web page:\n  1. Open https://www.kaggle.com/code/some"),
    ],
)
def test_a_submission_that_is_refused(server, made, told, said, message):
    server.faults["CreateCodeSubmission"] = [Fault(400, said)]
    with pytest.raises(KaggleError, match=message):
        told.uploader().upload(made)
    assert len(server.pushed) == 1


def test_a_submission_that_could_not_be_scored(server, made, told):
    server.judgings = [{"status": "ERROR", "errorDescription": "Notebook Timeout"}]
    with pytest.raises(KaggleError, match="Kaggle could not score submission 101: Notebook Timeout"):
        told.uploader().upload(made)


def test_an_edited_notebook_and_a_bad_id_are_not_sent(server, made, told):
    uploader = told.uploader()
    metadata = made.metadata.read_text()
    made.metadata.write_text(metadata.replace("YOUR-USERNAME/unlearning-mine", "someone/unlearning_mine"))
    with pytest.raises(KaggleError, match="Kaggle would refuse the id 'someone/unlearning_mine'"):
        uploader.upload(made)
    made.metadata.write_text(metadata)
    made.notebook.write_text(made.notebook.read_text().replace("a helper of mine", "another"))
    with pytest.raises(KaggleError, match="was edited by hand since it was bundled"):
        uploader.upload(made)
    assert server.pushed == []


def test_past_submissions_have_local_scores_beside_them(server, made, told, tmp_path):
    uploader = told.uploader()
    uploader.upload(made)
    report = {
        "submission": {"name": "mine", "sha256": made.submission_sha256},
        "task": {"name": "digits"},
        "models": 512,
        "score": 0.0345,
        "ceiling": {"score": 0.1747},
    }
    (tmp_path / "reports/digits/mine").mkdir(parents=True)
    (tmp_path / "reports/digits/mine/report.json").write_text(json.dumps(report))
    (tmp_path / "reports/report.json").write_text("{}")
    (one,) = past_submissions(uploader.api, made.competition, told.patience, tmp_path / "reports")
    assert (one.ref, one.status, one.public, one.private) == (101, "complete", "0.0461", "0.0598")
    assert [str(local) for local in one.local] == ["0.0345 (ceiling 0.1747) on digits, 512 models"]


def command_line(server, *arguments):
    """The program as a person starts it, with Kaggle's address replaced and looked at before anything is sent."""
    program = (
        "import runpy, sys, kagglesdk.kaggle_env as env\n"
        f"env._env_to_endpoint[env.KaggleEnv.LOCAL] = {server.url!r}\n"
        "assert env.get_endpoint(env.get_env()).startswith('http://127.0.0.1:')\n"
        "sys.argv[0] = 'starter_kit.kaggle'\n"
        "runpy.run_module('starter_kit.kaggle', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "VERBOSE": "1"})


def test_the_command_line_tells_all_but_the_token(server, made, tmp_path):
    server.runs, server.judgings = ["COMPLETE"], server.judgings[1:]
    options = ("--bundles", tmp_path / "bundles", "--reports", tmp_path / "reports")
    result = command_line(server, "upload", tmp_path / "mine.py", *options)
    assert result.returncode == 0, result.stderr
    assert "mine on Kaggle: 0.0598 (private), 0.0461 (public)" in result.stdout
    assert "the notebook's run: complete" in result.stderr
    assert "has no local score" in result.stderr
    listed = command_line(server, "submissions", "--reports", tmp_path / "reports")
    assert listed.returncode == 0, listed.stderr
    assert "0.0598" in listed.stdout
    written = "".join(path.read_text() for path in (tmp_path / "bundles").rglob("*") if path.is_file())
    for text in (result.stdout, result.stderr, listed.stdout, listed.stderr, written):
        assert TOKEN not in text
        assert "Bearer" not in text


def test_the_command_line_says_what_to_do(server, tmp_path):
    (tmp_path / "home/.kaggle/access_token").unlink()
    (tmp_path / "mine.py").write_text(SOURCE)
    result = command_line(server, "upload", tmp_path / "mine.py", "--bundles", tmp_path / "bundles")
    assert result.returncode == 1
    assert "There is no Kaggle token here." in result.stderr
    assert "Traceback" not in result.stderr


def test_an_upload_of_another_file_bundles_it_anew(made, tmp_path):
    (tmp_path / "mine.py").write_text(SOURCE.replace("a helper", "another helper"))
    again = current(tmp_path / "mine.py", folder=tmp_path / "bundles")
    assert again.submission_sha256 != made.submission_sha256
    assert "another helper of mine" in again.notebook.read_text()
