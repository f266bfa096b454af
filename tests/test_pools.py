from dataclasses import replace

import pytest
import torch

from scoring import pools as pools_module
from scoring.jobs.setting import Setting
from scoring.jobs.training import Original, Retraining
from starter_kit.models import DigitNet
from tests.conftest import make_pools


def key_of(pools, job=None):
    return pools._common_key(job or Original(pools.setting))


CHANGES = {
    "seed": lambda task: Setting(task, "cpu", 1),
    "recipe": lambda task: Setting(replace(task, recipe=replace(task.recipe, epochs=9)), "cpu", 0),
    "network": lambda task: Setting(replace(task, network=lambda: DigitNet(width=9)), "cpu", 0),
    "examples": lambda task: Setting(replace(task, retain=task.forget, forget=task.retain), "cpu", 0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_a_row_is_in_its_key(tmp_path, change):
    pools = make_pools(tmp_path)
    changed = replace(pools, setting=CHANGES[change](pools.task))
    assert key_of(changed) != key_of(pools)
    assert key_of(make_pools(tmp_path / "elsewhere")) == key_of(pools)


def test_pools_of_different_roles_share_nothing(tmp_path):
    pools = make_pools(tmp_path)
    keys = [key_of(pools, Retraining(pools.setting, role, 8)) for role in ("retrained", "ceiling")]
    assert keys[0] != keys[1]
    seeds = [
        pools.setting.seed_of(role, index) for role in ("retrained", "ceiling", "unlearned") for index in range(99)
    ]
    assert len(set(seeds)) == len(seeds)


def test_the_code_that_makes_a_row_is_in_its_key(tmp_path, monkeypatch):
    pools = make_pools(tmp_path)
    before = key_of(pools)
    real = pools_module.inspect.getsource
    for module in ("starter_kit.training", "scoring.fused.layers", "scoring.jobs.unlearning", "starter_kit.models"):
        pools_module._digest_of_code.cache_clear()
        monkeypatch.setattr(
            pools_module.inspect, "getsource", lambda of, edited=module: real(of) + "#" * (of.__name__ == edited)
        )
        assert key_of(pools)["code"] != before["code"], module
    pools_module._digest_of_code.cache_clear()


def test_versions_are_in_the_key(tmp_path):
    assert key_of(make_pools(tmp_path))["torch"] == torch.__version__
