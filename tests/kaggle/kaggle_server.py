"""A local server that speaks as much of Kaggle's protocol as an upload needs."""

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "KGAT_a-token-that-nobody-may-see"
USER = "someone"


@dataclass
class Fault:
    """What goes wrong with a call: an answer with this status, or, without one, a broken connection.

    Attributes:
        received: whether the call takes effect before the connection breaks.
    """

    status: int = 0
    message: str = ""
    retry_after: str = ""
    received: bool = False


@dataclass
class KaggleServer:
    """Answers as the attributes say, and records the calls.

    Attributes:
        faults: by method, what goes wrong with its next calls.
        runs: the status of a notebook's run, one per request; the last one stays.
        judgings: the status of a submission, likewise.
    """

    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    runs: list[str] = field(default_factory=lambda: ["QUEUED", "RUNNING", "COMPLETE"])
    failure_message: str = ""
    log: str = ""
    push_answer: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=lambda: {"numToday": 1, "numTotal": 3, "numAllowedNow": 4})
    judgings: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"status": "PENDING"},
            {"status": "COMPLETE", "publicScore": "0.0461", "privateScore": "0.0598"},
        ]
    )
    pushed: list[dict[str, Any]] = field(default_factory=list)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __enter__(self) -> "KaggleServer":
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.answer(self)

            def do_PUT(self) -> None:
                server.receive(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def receive(self, handler: BaseHTTPRequestHandler) -> None:
        """A file that is uploaded, of which there is none where only notebooks are pushed."""
        handler.send_error(404)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        method = handler.path.rsplit("/", 1)[-1]
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])) or b"{}")
        self.calls.append(method)
        fault = self.faults[method].pop(0) if self.faults[method] else None
        if fault and not fault.status:
            if fault.received:
                getattr(self, f"on_{method}")(body)
            handler.close_connection = True
            handler.connection.close()
            handler.wfile = handler.rfile
            return
        if method != "IntrospectToken" and handler.headers["Authorization"] != f"Bearer {TOKEN}":
            status, reply = 401, {"code": 401, "message": "Unauthenticated"}
        elif fault:
            status, reply = fault.status, {"code": fault.status, "message": fault.message}
        else:
            status, reply = 200, getattr(self, f"on_{method}")(body)
        content = json.dumps(reply).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        if fault and fault.retry_after:
            handler.send_header("Retry-After", fault.retry_after)
        handler.end_headers()
        handler.wfile.write(content)

    def on_IntrospectToken(self, body: dict) -> dict:  # noqa: N802
        return {"active": body.get("token") == TOKEN, "username": USER}

    def on_GetSubmissionLimits(self, body: dict) -> dict:  # noqa: N802
        return self.limits

    def on_SaveKernel(self, body: dict) -> dict:  # noqa: N802
        self.pushed.append(body)
        version = len(self.pushed)
        found = {"ref": f"/code/{body['slug']}", "url": f"https://www.kaggle.com/code/{body['slug']}", "kernelId": 7}
        return found | {"versionNumber": version} | self.push_answer

    def on_GetKernelSessionStatus(self, body: dict) -> dict:  # noqa: N802
        status = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
        return {"status": status, "failureMessage": self.failure_message}

    def on_ListKernelSessionOutput(self, body: dict) -> dict:  # noqa: N802
        return {"files": [{"url": f"{self.url}/evil", "fileName": "../../evil"}], "log": self.log}

    def on_CreateCodeSubmission(self, body: dict) -> dict:  # noqa: N802
        self.submitted.append(body)
        return {"message": "Successfully submitted", "ref": 100 + len(self.submitted)}

    def on_ListSubmissions(self, body: dict) -> dict:  # noqa: N802
        judged = self.judgings.pop(0) if len(self.judgings) > 1 else self.judgings[0]
        return {
            "submissions": [
                {
                    "ref": 101 + place,
                    "description": one["submissionDescription"],
                    "date": "2026-11-24T00:00:00.000Z",
                    "fileName": one["fileName"],
                }
                | judged
                for place, one in enumerate(self.submitted)
            ]
        }
