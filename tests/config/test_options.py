"""The options that `conf/` offers, without Hydra."""

import subprocess
import sys

import pytest

from gan_lightning.config.options import conf_folder, options
from gan_lightning.errors import UserError


def test_each_option_comes_with_its_first_comment():
    models = options("model")
    assert list(models) == sorted(models)
    assert models["acgan"].startswith("Auxiliary-classifier GAN: Odena et al. 2017")
    assert options("augment")["diffaugment"].startswith("DiffAugment: Zhao et al. 2020")  # the line after `# @package`
    assert set(options("model/optimizer")) == {"adam", "rmsprop", "sgd"}


@pytest.mark.parametrize("group", ["model", "network", "data", "experiment", "augment", "regularizer", "metrics"])
def test_every_option_that_a_user_chooses_says_what_it_is(group):
    assert [name for name, comment in options(group).items() if not comment] == []


def test_shared_files_are_no_options():
    assert not [name for name in options("data") if name.startswith("_")]


def test_an_unknown_group_is_refused():
    with pytest.raises(UserError, match="modle: conf/ has no such group"):
        options("modle")


def test_the_folder_inside_the_package_comes_first(tmp_path, monkeypatch):
    package = tmp_path / "gan_lightning"
    (package / "config").mkdir(parents=True)
    monkeypatch.setattr("gan_lightning.config.options.__file__", str(package / "config" / "options.py"))
    with pytest.raises(UserError, match=r"config\.yaml is neither in"):
        conf_folder()
    for place in (tmp_path / "conf", package / "conf"):  # a checkout, then a wheel
        place.mkdir()
        (place / "config.yaml").touch()
        assert conf_folder() == place


def test_no_heavy_package_is_imported():
    code = (
        "import sys; from gan_lightning.config.options import options; options('model'); "
        "sys.exit(bool({'hydra', 'omegaconf', 'torch', 'lightning'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
