"""What Hydra does where `_compat.hydra` looks on; a new version that does otherwise fails here."""

import hydra._internal.hydra
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gan_lightning._compat.hydra import Checks, checked_composition


def test_every_file_is_seen_before_and_at_its_place(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "config.yaml").write_text("defaults: [_self_, model: small]\nseed: 1\n")
    (tmp_path / "model" / "small.yaml").write_text("width: 2\n")
    read, parts, wholes = [], [], []
    loader = hydra._internal.hydra.ConfigLoaderImpl

    def see(origin, content, choices):
        parts.append((origin, OmegaConf.to_container(content), choices))  # as it is now: Hydra merges into it

    checks = Checks(lambda path: read.append(path.name), see, wholes.append)
    with checked_composition(checks), initialize_config_dir(str(tmp_path), version_base="1.3"):
        compose("config", ["model.width=3"])
    assert hydra._internal.hydra.ConfigLoaderImpl is loader
    assert set(read) == {"config.yaml", "small.yaml"}
    seen = [content for origin, content, _ in parts if origin == f"file://{tmp_path}/model/small.yaml"]
    assert seen[0] == {"width": 2}
    assert seen[-1] == {"model": {"width": 2}}
    assert any("model=small" in choices for *_, choices in parts)
    assert wholes[-1].model.width == 3
