"""A local server with a small archive in the layout of CIFAR-10, for torchvision to download."""

import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

PICTURES_PER_BATCH = 60
ARCHIVE = CIFAR10.filename


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@contextmanager
def cifar10_served(folder: Path) -> Iterator[None]:
    """Serve a synthetic archive from ``folder``, and give torchvision its address and its checksums."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = {CIFAR10.meta["filename"]: pickle.dumps({CIFAR10.meta["key"]: list("abcdefghij")})}
    for name, _ in CIFAR10.train_list + CIFAR10.test_list:
        data = rng.integers(0, 256, (PICTURES_PER_BATCH, 3072), dtype=np.uint8)
        files[name] = pickle.dumps({"data": data, "labels": rng.integers(0, 10, PICTURES_PER_BATCH).tolist()})
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        threading.Thread(target=running.serve_forever, daemon=True).start()
        patch.setattr(CIFAR10, "url", f"http://127.0.0.1:{running.server_port}/{ARCHIVE}")
        patch.setattr(CIFAR10, "tgz_md5", md5((folder / ARCHIVE).read_bytes()))
        for part in ("train_list", "test_list"):
            patch.setattr(CIFAR10, part, [[name, md5(files[name])] for name, _ in getattr(CIFAR10, part)])
        patch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(files[CIFAR10.meta["filename"]])})
        yield
        running.shutdown()
