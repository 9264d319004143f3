"""What the tests keep of Hydra's work is what Hydra composes."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tests.composition import CONF
from tests.conftest import TINY, composed


@pytest.mark.parametrize(
    "overrides",
    [
        (*TINY, "model.optimizer.lr=3"),
        ("model=acgan", "model/penalties=[r1,r2]", "~model.loss", "+model.optimizer.more=1", "trainer={_target_: a}"),
    ],
)
def test_a_kept_composition_is_hydras(tmp_path, overrides):
    (tmp_path / "conf").symlink_to(CONF)  # another folder, of which nothing is kept
    with initialize_config_dir(str(tmp_path / "conf"), version_base="1.3"):
        expected = OmegaConf.to_yaml(compose("config", [*overrides, "name=run", "run_dir=run"]))
    for _ in range(2):
        found = composed(*overrides)
        assert OmegaConf.to_yaml(found) == expected
        found.model = None  # which is a copy
