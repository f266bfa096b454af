"""Processes that share the GPU, each fine-tuning a ResNet-18 as a submission does: without MPS, then with it.

MPS is NVIDIA's service that lets kernels of several processes run at the same time.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

import torch
from torch.nn.functional import cross_entropy

from starter_kit.examples import ExampleLoader
from tests.benchmarks import machine, scale

NUMBERS = (1, 4, 8, 16) if machine.DEVICE == "cuda" else (1, 2)
TRAINED_FOR = 4.0 if machine.DEVICE == "cuda" else 0.5
"""Seconds that count."""

TO_START = 10.0 if machine.DEVICE == "cuda" else 4.0
"""Seconds until all processes train, and per process one more."""

LIMIT = 90.0
CONTROL = "nvidia-cuda-mps-control"


def findings(seconds: float) -> Iterator[dict[str, object]]:
    """Steps per second of all processes together, by how many there are."""
    end = time.monotonic() + seconds
    yield from _numbers("without MPS", dict(os.environ), end)
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        environment = os.environ | {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        try:
            with _service(environment):
                yield from _numbers("with MPS", environment, end)
        except (OSError, subprocess.SubprocessError) as error:
            yield {"with MPS": f"MPS cannot be started: {error}"[:300]}


@contextmanager
def _service(environment: dict[str, str]) -> Iterator[None]:
    subprocess.run([CONTROL, "-d"], env=environment, check=True, capture_output=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run([CONTROL], env=environment, input="quit\n", text=True, capture_output=True, timeout=20)


def _numbers(how: str, environment: dict[str, str], end: float) -> Iterator[dict[str, object]]:
    for number in NUMBERS:
        if time.monotonic() + TO_START + number + TRAINED_FOR > end:
            yield {f"{how}, {number} processes": "left out: there was no time"}
            return
        yield {f"{how}, {number} processes": _together(number, environment)}


def _together(number: int, environment: dict[str, str]) -> dict[str, float] | str:
    """So many processes at the same time."""
    at = time.time() + TO_START + number
    command = [sys.executable, "-m", "tests.benchmarks.gpu.sharing", str(at)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, env=environment, text=True, **pipes) for _ in range(number)]  # type: ignore[call-overload]
    try:
        said = [process.communicate(timeout=LIMIT) for process in processes]
    except subprocess.TimeoutExpired:
        return f"not finished after {LIMIT:.0f} s"
    finally:
        for process in processes:
            process.kill()
    if failed := [errors for process, (_, errors) in zip(processes, said, strict=True) if process.returncode]:
        return f"{len(failed)} of {number} failed: {failed[0][-250:]}"
    each = [json.loads(output.splitlines()[-1]) for output, _ in said]
    return {
        "steps_per_second": sum(one["steps_per_second"] for one in each),
        "gpu_memory_gb": max(one["gpu_memory_gb"] for one in each),
        "latest_start_seconds": max(one["late_seconds"] for one in each),
    }


def train_from(at: float) -> dict[str, float]:
    """Fine-tune from a moment on, as `time.time` gives it, and count the steps."""
    torch.set_num_threads(1)
    device = torch.device(machine.DEVICE)
    net = scale.network().to(device).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    batches = cycle(ExampleLoader(scale.task(retained=4096, others=2).retain.to(device)))

    def steps(number: int) -> None:
        for _ in range(number):
            inputs, targets = next(batches)
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        machine.synchronize()

    steps(5)
    time.sleep(max(0.0, at - time.time()))
    start, done = time.time(), 0
    while (now := time.time()) < start + TRAINED_FOR:
        steps(5)
        done += 5
    used = 0.0
    if machine.DEVICE == "cuda":
        free, total = torch.cuda.mem_get_info()
        used = (total - free) / 2**30
    seconds = max(now, time.time()) - start
    return {"steps_per_second": done / seconds, "gpu_memory_gb": used, "late_seconds": max(0.0, start - at)}


if __name__ == "__main__":
    print(json.dumps(train_from(float(sys.argv[1]))))
