"""What Hydra does where `_compat.hydra` looks on; a new version that does otherwise fails here."""

import hydra._internal.hydra
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
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


def test_null_chooses_no_option(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "config.yaml").write_text("defaults: [_self_, model: small, sweep: null]\n")
    (tmp_path / "model" / "small.yaml").write_text("width: 2\n")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "seeds.yaml").write_text("seed: 1\n")
    checks = Checks(lambda path: None, lambda *part: None, lambda whole: None)
    with checked_composition(checks), initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert compose("config", ["model=null", "sweep=null"]) == {}
        assert compose("config", ["model=small", "model.width=null"]) == {"model": {"width": None}}


def test_a_job_of_an_option_that_does_not_exist_says_so(tmp_path):
    """It keeps the names from which its folder and its row of results are made."""
    (tmp_path / "model").mkdir()
    (tmp_path / "config.yaml").write_text("defaults: [_self_, model: small]\nseed: 1\n")
    (tmp_path / "model" / "small.yaml").write_text("width: 2\n")
    checks = Checks(lambda path: None, lambda *part: None, lambda whole: None)
    with checked_composition(checks), initialize_config_dir(str(tmp_path), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("config", ["seed=1,2"], RunMode.MULTIRUN)
        job = loader.load_sweep_config(master, ["model=nope", "seed=2"])
        sound = loader.load_sweep_config(master, ["model=small", "seed=2"])
    assert job.refused == "model/nope: there is no such option. Available: small"
    assert "refused" not in sound
    assert job.hydra.job.override_dirname == sound.hydra.job.override_dirname.replace("small", "nope")
    assert job.hydra.overrides.task == ["model=nope", "seed=2"]
    assert job.hydra.runtime.choices.model == "nope"


def test_shared_files_are_not_offered(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "config.yaml").write_text("defaults: [_self_, model: small]\n")
    for name in ("small", "_shared"):
        (tmp_path / "model" / f"{name}.yaml").write_text("width: 2\n")
    checks = Checks(lambda path: None, lambda *part: None, lambda whole: None)
    with checked_composition(checks), initialize_config_dir(str(tmp_path), version_base="1.3"):
        completion = BashCompletion(GlobalHydra.instance().config_loader())
        assert completion._query("config", "model=") == ["model=small"]
        assert compose("config", ["model=_shared"]).model.width == 2
