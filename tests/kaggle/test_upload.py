"""Kaggle's own client against a local server: what is sent, what is reported, what is never shown."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.cli.app import app
from starter_kit.errors import KaggleError
from starter_kit.kaggle.bundle import bundle, current
from starter_kit.kaggle.client import Patience, connect
from starter_kit.kaggle.past import past_submissions
from starter_kit.kaggle.upload import Pace, Scored, Uploader
from tests.kaggle.kaggle_server import TOKEN, Fault, KaggleServer

ROOT = Path(__file__).parents[2]
SOURCE = '"""Nothing."""\n\nHELPER = "my helper"\n\n\ndef unlearning(net, retain, forget, val):\n    return net\n'


@contextmanager
def kaggle_on(server, monkeypatch, tmp_path):
    """The server, in an environment in which Kaggle's client knows no other."""
    for name in [name for name in os.environ if name.startswith("KAGGLE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (tmp_path / "home/.kaggle").mkdir(parents=True)
    (tmp_path / "home/.kaggle/access_token").write_text(TOKEN)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home/.kaggle"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    with server:
        from kagglesdk import kaggle_env

        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, server.url)
        from kaggle.api.kaggle_api_extended import KaggleApi

        monkeypatch.setattr(KaggleApi, "args", ["--local"])
        monkeypatch.setattr(KaggleApi, "config", str(tmp_path / "home/.kaggle/kaggle.json"))
        assert KaggleApi().build_kaggle_client().http_client()._endpoint.startswith("http://127.0.0.1:")
        server.calls.clear()
        yield server


@pytest.fixture
def server(monkeypatch, tmp_path):
    with kaggle_on(KaggleServer(), monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture
def made(tmp_path):
    """A bundle."""
    (tmp_path / "mine.py").write_text(SOURCE)
    return bundle(tmp_path / "mine.py", folder=tmp_path / "bundles")


class Shown(list):
    """The lines that a person sees, and the waits between attempts, which take no time here."""

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
def shown():
    return Shown()


def test_from_a_bundle_to_a_score(server, made, shown):
    assert shown.uploader().upload(made) == Scored(101, public="0.0461", private="0.0598")
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
    assert [line.split(",")[0] for line in shown] == [
        "pushed version 1 of https://www.kaggle.com/code/someone/unlearning-mine",
        "notebook run: queued",
        "notebook run: running",
        "notebook run: complete",
        "submitted as number 101",
        "submission 101: pending",
        "submission 101: complete",
    ]
    assert shown.waits == []


def test_a_busy_server_gets_the_pause_that_it_asks_for(server, made, shown):
    server.faults["SaveKernel"] = [Fault(429, "Too many requests", retry_after="17"), Fault(429, "Too many requests")]
    server.faults["GetKernelSessionStatus"] = [Fault(503, "Unavailable")]
    assert shown.uploader().upload(made).private == "0.0598"
    assert shown.waits == [17, 4, 2]
    assert len(server.pushed) == 1


def test_a_broken_connection_is_retried(server, made, shown):
    server.faults["GetKernelSessionStatus"] = [Fault()]
    server.faults["IntrospectToken"] = [Fault()]
    server.faults["ListSubmissions"] = [Fault(), Fault()]
    assert shown.uploader().upload(made).private == "0.0598"
    assert len(shown.waits) == 4


@pytest.mark.parametrize("received", [True, False])
def test_a_submission_whose_answer_is_lost_is_made_once(server, made, shown, received):
    server.faults["CreateCodeSubmission"] = [Fault(received=received)]
    assert shown.uploader().upload(made).ref == 101
    assert len(server.submitted) == 1


def test_a_connection_that_stays_broken_is_reported(server, made, shown):
    uploader = shown.uploader()
    server.faults["GetKernelSessionStatus"] = [Fault()] * 9
    with pytest.raises(
        KaggleError, match=r"The connection to Kaggle broke .*Whatever runs on Kaggle continues; make submissions"
    ):
        uploader.upload(made)
    assert shown.waits == [2, 4, 8]


def test_no_token(server, shown, tmp_path):
    (tmp_path / "home/.kaggle/access_token").unlink()
    with pytest.raises(KaggleError, match=r"No Kaggle token found. .* Generate New Token at https://"):
        connect(shown.patience)
    assert server.calls == []


def test_an_unknown_token(server, shown, tmp_path):
    (tmp_path / "home/.kaggle/access_token").write_text("another")
    with pytest.raises(KaggleError, match="Kaggle rejects your token: it is wrong or has expired"):
        connect(shown.patience)
    assert "SaveKernel" not in server.calls


def test_an_unknown_key(server, made, shown, tmp_path, monkeypatch):
    (tmp_path / "home/.kaggle/access_token").unlink()
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "0123456789abcdef")
    uploader = shown.uploader()
    with pytest.raises(KaggleError, match="Kaggle rejects your token") as caught:
        uploader.upload(made)
    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "Phone verification is required to use a GPU."}, "Verify yours at https://www.kaggle.com/settings"),
        (
            {"error": "Maximum batch GPU session count of 2 reached."},
            "all GPU sessions or hours .* are in use. Stop running",
        ),
        ({"error": "You must accept this competition's rules."}, "machine-unlearning/rules, press Late Submission"),
        ({"error": "Something new."}, "Kaggle answered 'Something new.'. Correct this"),
        ({"invalidCompetitionSources": ["nothing-such"]}, "did not attach the data of nothing-such"),
    ],
)
def test_a_push_that_is_refused(server, made, shown, answer, message):
    server.push_answer = answer
    with pytest.raises(KaggleError, match=message):
        shown.uploader().upload(made)
    assert server.submitted == []
    assert "GetKernelSessionStatus" not in server.calls


def test_a_run_that_failed_shows_the_end_of_its_log(server, made, shown, tmp_path):
    server.runs = ["RUNNING", "ERROR"]
    lines = [f"line {number}\n" for number in range(40)] + ["RuntimeError: no such layer\n"]
    server.log = json.dumps([{"stream_name": "stderr", "time": 1, "data": line} for line in lines])
    with pytest.raises(KaggleError) as caught:
        shown.uploader().upload(made)
    assert "The notebook run failed." in str(caught.value)
    assert "  | line 39\n  | RuntimeError: no such layer" in str(caught.value)
    assert "line 20" not in str(caught.value)
    assert server.submitted == []
    assert sorted(path.name for path in made.folder.iterdir()) == ["kaggle.log", "kernel-metadata.json", "mine.ipynb"]
    assert not list(tmp_path.rglob("evil")), "the server chose the name of a file"


def test_a_run_that_was_cancelled(server, made, shown):
    server.runs = ["CANCEL_ACKNOWLEDGED"]
    with pytest.raises(KaggleError, match="The notebook run was cancelled"):
        shown.uploader().upload(made)


def test_used_up_submissions_are_reported_before_a_gpu_is_used(server, made, shown):
    server.limits = {"numToday": 5, "numTotal": 9, "numAllowedNow": 0}
    with pytest.raises(KaggleError, match=r"You have used all of today's submissions: 5. Wait until midnight UTC"):
        shown.uploader().upload(made)
    assert server.pushed == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Submission not allowed: daily submission limit reached.", "you have used all of today's submissions"),
        ("This competition has ended and is not accepting submissions.", r"takes no late submissions .*\n  1. Open"),
        ("Not Found", r"answered 'Not Found'. Submit it on the web page:\n  1. Open https://www.kaggle.com/code/some"),
    ],
)
def test_a_submission_that_is_refused(server, made, shown, said, message):
    server.faults["CreateCodeSubmission"] = [Fault(400, said)]
    with pytest.raises(KaggleError, match=message):
        shown.uploader().upload(made)
    assert len(server.pushed) == 1


def test_a_submission_that_could_not_be_scored(server, made, shown):
    server.judgings = [{"status": "ERROR", "errorDescription": "Notebook Timeout"}]
    with pytest.raises(KaggleError, match="Kaggle could not score submission 101: Notebook Timeout"):
        shown.uploader().upload(made)


def test_an_edited_notebook_and_a_bad_id_are_not_sent(server, made, shown):
    uploader = shown.uploader()
    metadata = made.metadata.read_text()
    made.metadata.write_text(metadata.replace("YOUR-USERNAME/unlearning-mine", "someone/unlearning_mine"))
    with pytest.raises(KaggleError, match="Kaggle would reject the id 'someone/unlearning_mine'"):
        uploader.upload(made)
    made.metadata.write_text(metadata)
    made.notebook.write_text(made.notebook.read_text().replace("my helper", "your helper"))
    with pytest.raises(KaggleError, match="was edited by hand after it was bundled"):
        uploader.upload(made)
    assert server.pushed == []


def test_past_submissions_have_local_scores_beside_them(server, made, shown, tmp_path):
    uploader = shown.uploader()
    uploader.upload(made)
    report = {
        "submission": {"name": "mine", "sha256": made.submission_sha256},
        "task": {"name": "digits"},
        "run": {"models": 512, "seed": 0},
        "unlearned": {"score": {"value": 0.0345}},
        "ceiling": {"value": 0.1747},
    }
    reports = tmp_path / "reports"
    for file, content in {
        "digits/seed-0/512-models/mine": report,
        "digits/seed-0/512-models/other": report | {"submission": {"name": "other", "sha256": "0" * 64}},
        "not-a-report": {},
    }.items():
        (reports / file).mkdir(parents=True)
        (reports / file / "report.json").write_text(json.dumps(content))
    (one,) = past_submissions(uploader.api, made.competition, shown.patience, reports)
    assert (one.ref, one.status, one.public, one.private) == (101, "complete", "0.0461", "0.0598")
    assert [str(local) for local in one.local] == ["0.0345 (ceiling 0.1747) on digits, 512 models"]


def test_the_command_line_never_shows_the_token(server, made, tmp_path):
    """As a person starts it, with Kaggle's address replaced, and checked before anything is sent."""
    server.runs, server.judgings = ["COMPLETE"], server.judgings[1:]
    reports = ["--reports", str(tmp_path / "reports")]
    upload = ["upload", str(tmp_path / "mine.py"), "--bundles", str(tmp_path / "bundles"), *reports]
    program = (
        "import kagglesdk.kaggle_env as env\n"
        f"env._env_to_endpoint[env.KaggleEnv.LOCAL] = {server.url!r}\n"
        "assert env.get_endpoint(env.get_env()).startswith('http://127.0.0.1:')\n"
        "from scoring.cli.app import app\n"
        f"for command in ({upload}, {['submissions', *reports]}):\n"
        "    assert not app(command, standalone_mode=False)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env={**os.environ, "VERBOSE": "1"}
    )
    assert result.returncode == 0, result.stderr
    assert "mine on Kaggle: 0.0598 (private), 0.0461 (public)" in result.stdout
    assert "notebook run: complete" in result.stderr
    assert "has no local score" in result.stderr
    table = result.stdout.partition("mine on Kaggle")[2]
    assert f"mine {made.submission_sha256[:12]}, version 1" in table
    assert "0.0598" in table.partition("version 1")[2]
    written = "".join(path.read_text() for path in (tmp_path / "bundles").rglob("*") if path.is_file())
    for text in (result.stdout, result.stderr, written):
        assert TOKEN not in text
        assert "Bearer" not in text


def test_the_command_line_says_what_to_do_without_a_token(server, made, tmp_path):
    (tmp_path / "home/.kaggle/access_token").unlink()
    result = CliRunner().invoke(app, ["upload", str(tmp_path / "mine.py"), "--bundles", str(tmp_path / "bundles")])
    assert result.exit_code == 1
    assert "No Kaggle token found." in result.stderr
    assert server.pushed == []


def test_a_changed_file_is_bundled_again(made, tmp_path):
    (tmp_path / "mine.py").write_text(SOURCE.replace("my helper", "your helper"))
    again = current(tmp_path / "mine.py", folder=tmp_path / "bundles")
    assert again.submission_sha256 != made.submission_sha256
    assert "your helper" in again.notebook.read_text()
