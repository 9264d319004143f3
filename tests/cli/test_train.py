"""The command line outside of a checkout, and its refusals."""

import os
import subprocess
import sys

import pytest

from tests.conftest import TESTS, TINY


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("network.generator.hidden=[8]", "network.generator.hidden is now network.generator.hidden_dims"),
        ("regulariser=lecam", "regulariser is now regularizer"),
        ("callbacks.film.fps=3", "callbacks.film.fps is now callbacks.video.fps"),
        ("network/join@network.discriminator=plane", "is now network/join@network.discriminator=concat"),
        ("data._target_=gan_lightning.data.DrawnData", "DrawnData is now gan_lightning.data.SyntheticData"),
        ("model.optimizer.lrr=1", "model.optimizer.lrr: no such key; did you mean model.optimizer.lr?"),
    ],
)
def test_a_refusal_says_what_to_type(command, override, hint):
    outcome = command("run", *TINY, override)
    assert outcome.code == 1
    assert hint in outcome.output
    assert "Traceback" not in outcome.output


def test_a_users_own_key_of_an_old_name_is_no_mistake(command, tmp_path):
    (tmp_path / "my_conf" / "network").mkdir(parents=True)
    (tmp_path / "my_conf" / "network" / "mine.yaml").write_text(
        "defaults: [mlp]\nwidth: 16\ngenerator: {hidden_dims: ['${network.width}']}\n"
    )
    options = ("--config-dir", str(tmp_path / "my_conf"), "network=mine", "network.width=4", "trainer.max_epochs=x")
    outcome = command("run", *options)
    assert "trainer.max_epochs='x': expected a whole number" in outcome.output
    assert "network.width" not in outcome.output


@pytest.mark.slow
def test_the_module_trains_in_an_empty_folder(tmp_path):
    command = [sys.executable, "-m", "gan_lightning", *TINY, "trainer.max_steps=2", "hydra.run.dir=run"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


@pytest.mark.slow
def test_a_script_with_two_processes(tmp_path):
    """Two runs after each other; a module that lies beside the script is found by the other process, too."""
    (tmp_path / "mine.py").write_text((TESTS / "helpers.py").read_text())
    callback = "+callbacks.mine={_target_: mine.Dump, path: '${run_dir}/state'}"
    (tmp_path / "script.py").write_text(
        "import gan_lightning\n"
        f"options = {[*TINY, 'trainer.max_steps=2', 'trainer.devices=2', callback]!r}\n"
        "for seed in (0, 1):\n"
        "    result = gan_lightning.train([*options, f'seed={seed}', f'hydra.run.dir=run_{seed}'])\n"
        "    print(seed, result.status)\n"
    )
    command, trust = [sys.executable, "script.py"], {"GAN_LIGHTNING_TRUST": "mine"}
    result = subprocess.run(command, cwd=tmp_path, env=os.environ | trust, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "0 finished" in result.stdout
    assert "1 finished" in result.stdout
    assert all((tmp_path / f"run_{seed}" / f"state.{rank}").exists() for seed in (0, 1) for rank in (0, 1))
