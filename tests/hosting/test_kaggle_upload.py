"""The organiser's calls of Kaggle's client against a local server."""

from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

from scoring.hosting import kaggle_upload
from scoring.hosting.texts import PAGES
from starter_kit.errors import KaggleError
from starter_kit.kaggle.client import Patience, connect
from tests.kaggle.kaggle_server import Fault, KaggleServer
from tests.kaggle.test_upload import kaggle_on

PATIENT = Patience(sleep=lambda seconds: None)


class Host(KaggleServer):
    """Kaggle, as an organiser sees it."""

    def __init__(self):
        super().__init__()
        self.created, self.pages, self.data, self.solutions, self.blobs = [], [], [], [], {}

    def receive(self, handler: BaseHTTPRequestHandler) -> None:
        """A file that is uploaded."""
        token = handler.path.rsplit("/", 1)[-1]
        self.blobs[token] |= {"content": handler.rfile.read(int(handler.headers["Content-Length"]))}
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def on_StartBlobUpload(self, body):  # noqa: N802
        token = f"blob-{len(self.blobs)}"
        self.blobs[token] = body
        return {"token": token, "createUrl": f"{self.url}/upload/{token}"}

    def on_CreateCompetition(self, body):  # noqa: N802
        self.created.append(body)
        return {"id": 1, "ref": body["slug"], "url": f"https://www.kaggle.com/competitions/{body['slug']}"}

    def on_CreateCompetitionPage(self, body):  # noqa: N802
        self.pages.append(body)
        return body["page"]

    def on_CreateCompetitionData(self, body):  # noqa: N802
        self.data.append(body)
        return {"url": "data", "databundleId": 1, "databundleVersionId": len(self.data)}

    def on_CreateCompetitionSolution(self, body):  # noqa: N802
        self.solutions.append(body)
        return {}


@pytest.fixture
def server(monkeypatch, tmp_path):
    with kaggle_on(Host(), monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def folder(host):
    return host("kaggle")


def test_it_creates_pages_data_and_solution_and_launches_nothing(server, folder):
    said = []
    url = kaggle_upload.create(folder, "my-competition", connect(PATIENT), PATIENT, said.append)
    assert url.endswith("/competitions/my-competition")
    (created,) = server.created
    assert (created["title"], created["privacy"]) == ("Unlearning: digits", "PRIVATE")
    texts = {(folder / "pages" / name).read_text() for name in PAGES.values()}
    assert {body["page"]["content"] for body in server.pages} == texts
    assert {body["page"]["mimeType"] for body in server.pages} == {"text/markdown"}

    public, hidden = (
        {file["name"]: server.blobs[file["token"]]["content"] for file in one["files"]} for one in server.data
    )
    assert public["test.npz"] == (folder / "data/validation.npz").read_bytes()
    assert hidden["test.npz"] == (folder / "hidden/test.npz").read_bytes()
    assert {name: content for name, content in hidden.items() if name != "test.npz"} == {
        name: content for name, content in public.items() if name != "test.npz"
    }
    assert "RERUN" not in str(server.data[0])
    assert "RERUN" in str(server.data[1])
    (solution,) = server.solutions
    assert server.blobs[solution["blobToken"]]["content"] == (folder / "solution.csv").read_bytes()
    assert not [call for call in server.calls if "Launch" in call]
    assert said == [
        "Created my-competition.",
        "Created 4 pages.",
        "Uploaded the data, and a copy with the real test set for the hidden runs.",
        "Uploaded the solution.",
    ]


def test_a_refused_step_is_named(server, folder):
    server.faults["CreateCompetitionPage"].append(Fault(403, "You may not host competitions"))
    with pytest.raises(KaggleError, match=r"Cannot create the page Overview.*may not host"):
        kaggle_upload.create(folder, "my-competition", connect(PATIENT), PATIENT, print)
    assert len(server.created) == 1


def test_a_busy_server_is_asked_again(server, folder):
    server.faults["CreateCompetition"].append(Fault(429, "Too many requests"))
    kaggle_upload.create(folder, "my-competition", connect(PATIENT), PATIENT, print)
    assert server.calls.count("CreateCompetition") == 2
    assert np.all([blob["content"] for blob in server.blobs.values()])
