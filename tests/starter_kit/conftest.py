"""A data set of the hub and a language model, both tiny and in local folders."""

import datasets
import pytest

from tests.starter_kit.tofu_folder import write_model, write_tofu


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The data set in ``tofu``, the model in ``model``."""
    folder = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
        write_tofu(folder / "tofu")
        write_model(folder / "model")
        yield folder
