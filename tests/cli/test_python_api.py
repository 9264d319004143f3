"""`gan_lightning.train` beside the command line, and the public names."""

import logging
import subprocess
import sys

import pytest

import gan_lightning
from gan_lightning.errors import UserError
from tests.conftest import TINY, training_differences

QUIET = ("trainer=cpu", "callbacks.progress=null", "callbacks.samples=null")
QUICK = (*TINY, "callbacks.video=null", "trainer.max_steps=2")


@pytest.fixture
def from_python(tmp_path):
    """`gan_lightning.train` into a folder of its own."""
    return lambda name, *overrides, **more: gan_lightning.train(
        [*overrides, f"hydra.run.dir={tmp_path / name}"], **more
    )


@pytest.fixture
def my_conf(tmp_path):
    folder = tmp_path / "my conf"
    (folder / "network").mkdir(parents=True)
    (folder / "network" / "mine.yaml").write_text(
        "defaults: [mlp]\ngenerator: {latent_dim: 5}\ndiscriminator: {hidden_dims: [8]}\nfancy_key: 1\n"
    )
    return folder


def files(folder) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "tfevents" not in path.name
    }


def test_the_same_run_folder_as_the_command_line(command, from_python, tmp_path):
    typed = command("typed", *QUICK)
    result = from_python("called", *QUICK)
    assert (result.folder, result.status, result.step) == (tmp_path / "called", "finished", 2)
    assert files(result.folder) == files(typed.folder)
    assert {".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"} <= files(result.folder)
    assert training_differences(type(typed)(0, "", result.folder), typed) == []
    for name in (".hydra/config.yaml", ".hydra/overrides.yaml"):
        one, other = ((folder / name).read_text() for folder in (result.folder, typed.folder))
        assert one.replace("called", "typed") == other


@pytest.mark.slow
def test_again_and_again_in_one_process(from_python):
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    first = from_python("first", *QUICK)
    longer = gan_lightning.train([f"resume={first.folder}", "trainer.max_steps=3"])
    assert (longer.folder, longer.step) == (first.folder, 3)
    whole = from_python("whole", *QUICK, "trainer.max_steps=3")
    assert whole.metrics == longer.metrics
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger().level == level


@pytest.mark.slow
def test_two_runs_of_one_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda *_: "now")
    folders = [gan_lightning.train(QUICK).folder for _ in range(2)]
    assert [str(folder.relative_to(tmp_path)) for folder in folders] == [
        "logs/gan_r1_digits/now",
        "logs/gan_r1_digits/now_2",
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.optimizer.lrr=1"], r"model.optimizer.lrr: no such key; did you mean model.optimizer.lr\?"),
        (["network.generator.hidden=[8]"], "network.generator.hidden is now network.generator.hidden_dims"),
        (
            ["network.discriminator.join=plane"],
            "network.discriminator.join=plane is now network.discriminator.join=concat",
        ),
        (["data=mnits"], "data/mnits"),
        (["model.optimizer.lr=-1"], "model.optimizer.lr=-1: expected a number above 0"),
        (["seed=0,1"], "seed"),
        (["-m", "seed=0,1"], "sweeps .* are started by the command line"),
        (["sweep=seeds"], "a sweep is started by the command line"),
        (["resume=/nowhere"], "resume=/nowhere: /nowhere/config.yaml does not exist"),
    ],
)
def test_mistakes_are_errors(from_python, overrides, message, tmp_path):
    with pytest.raises(UserError, match=message):
        from_python("run", *TINY, *overrides)
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_a_folder_of_ones_own_groups(from_python, my_conf):
    result = from_python("run", "network=mine", *QUIET, "trainer.max_steps=1", config_dir=my_conf)
    assert gan_lightning.load(result.folder).generator.latent_dim == 5


def test_its_keys_are_suggested(from_python, command, my_conf):
    wrong = ("network=mine", "network.fancy_kye=2")
    hint = "network.fancy_kye: no such key; did you mean network.fancy_key?"
    with pytest.raises(UserError, match=hint.replace("?", r"\?")):
        from_python("run", *wrong, config_dir=my_conf)
    outcome = command("run", "--config-dir", str(my_conf), *wrong)
    assert outcome.code == 1
    assert hint in outcome.output


def test_a_folder_of_groups_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        gan_lightning.train(config_dir=tmp_path / "none")


def test_the_names_are_imported_when_they_are_used():
    code = (
        "import sys, gan_lightning; gan_lightning.list_models();"
        "print([name for name in ('torch', 'hydra', 'lightning', 'omegaconf') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert set(gan_lightning.__all__) <= set(dir(gan_lightning))
    assert all(callable(getattr(gan_lightning, name)) for name in gan_lightning.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = gan_lightning.nothing


@pytest.mark.parametrize(
    ("names", "one", "about"),
    [
        (gan_lightning.list_models, "wgan_gp", "arXiv:1704.00028"),
        (gan_lightning.list_networks, "mlp", "Fully connected"),
        (gan_lightning.list_data, "digits", "scikit-learn"),
        (gan_lightning.list_experiments, "cgan_tags", ""),
    ],
)
def test_what_there_is_to_choose(names, one, about):
    found = names()
    assert about in found[one]
    assert all(found.values())
    assert "config" not in found
