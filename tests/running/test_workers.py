import pytest

from scoring.running import workers
from scoring.running.machines import gpus
from scoring.running.workers import run_on_shared_gpus


@pytest.mark.parametrize(("fill_up_at", "expected"), [(1, 1), (2, 2), (4, 4), (64, 16)])
def test_workers_are_added_while_they_pay(monkeypatch, fill_up_at, expected):
    """A GPU that `fill_up_at` workers keep busy, by a clock of the test's own."""
    clock = 0.0
    asked = []

    def backend(job, indices, number):
        nonlocal clock
        asked.append((number, list(indices)))
        for index in indices:
            clock += 1 / min(number, fill_up_at)
            yield index, {}

    monkeypatch.setattr(workers, "perf_counter", lambda: clock)
    done = [index for index, _ in run_on_shared_gpus(backend, None, range(300), gpus=1, most=16)]
    assert sorted(done) == list(range(300)), "each index once"
    assert asked[-1][0] == expected
    assert len(asked[-1][1]) > 150, "most of the work is left for the number that was found"


def test_a_few_rows_are_not_worth_a_trial():
    asked = []

    def backend(job, indices, number):
        asked.append(number)
        yield from ((index, {}) for index in indices)

    assert len(list(run_on_shared_gpus(backend, None, range(8), gpus=1, most=8))) == 8
    assert asked == [1]


def test_what_a_device_means(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert (gpus("cpu"), gpus("cuda"), gpus("cuda:1")) == (0, 4, 1)
