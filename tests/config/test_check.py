"""Bad input: every message says what, where, and which key to change."""

import pytest

from gan_lightning.config import check
from tests.conftest import TINY, WITHOUT_MLP, composed, refusal

AVATARS = ("data=avatars", "data.count=64", "data.batch_size=32")


def refused(outcome) -> str:
    assert outcome.code == 1
    assert "Traceback" not in outcome.output
    assert not (outcome.folder / "config.yaml").exists()
    assert not (outcome.folder / "checkpoints").exists()
    return outcome.output


LINEAR = "{_target_:gan_lightning.schedules.Linear,end:1,until:5}"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.optimizer.lr=-1", "model.optimizer.lr=-1: expected a number above 0"),
        ("model.optimizer.lr=fast", "model.optimizer.lr='fast': expected a number above 0"),
        ("model.optimizer.betas=[0.5,1.0]", "model.optimizer.betas=[0.5, 1.0]: expected two numbers from 0"),
        ("model.n_critic=0", "model.n_critic=0: expected a whole number from 1"),
        ("model.n_critic=1.5", "model.n_critic=1.5: expected a whole number from 1"),
        ("data.batch_size=0", "data.batch_size=0: expected a whole number from 1"),
        ("data.image_shape=[28,28]", "data.image_shape=[28, 28]: expected [channels, height, width]"),
        ("data._target_=os.system", "data._target_: os.system is not a class that a configuration may name"),
        (
            "data._target_=gan_lightning.training.experiment.os.system",
            "gan_lightning.training.experiment.os.system is not a class that a configuration may name here",
        ),
        ("model._target_=gan_lightning.models.GANN", "did you mean GAN?"),
        ("model._target_=gan_lightning.data.MNIST", "may name here"),
        ("model._target_=gan_lightning.training.experiment.signal", "may name here"),
        (
            "+model.n_critc=2",
            "model.n_critc: gan_lightning.models.GAN has no such argument; did you mean n_critic?",
        ),
        ("~network.discriminator.image_shape", "needs this argument"),
        ("network.generator.batch_norm=often", "network.generator.batch_norm='often': expected bool"),
        ("+trainer.gradient_clip_val=1.0", "use model.gradient_clip_norm"),
        ("trainer.strategy=ddp", "trainer.strategy='ddp': expected auto"),
        ("trainer.devices=3", "data.batch_size=32: expected a multiple of the number of processes, 3"),
        ("seed=-1", "seed=-1: expected a whole number from 0"),
        ("data.seed=${sed}", "sed"),
        ("seed=5000000000", "seed=5000000000: expected a whole number from 0 to 4294967295"),
        ("data.batch_size=${n}", "n"),
        ("model.n_critic=${data.num_workers}", "model.n_critic=0: expected a whole number from 1"),
        ("~trainer", "trainer=None: expected the options of a group, trainer=..."),
        ("callbacks.ema=5", "callbacks.ema=5: expected options with a _target_, or null"),
        ("data._target_=null", "data._target_=None: expected the name of a class"),
        ("trainer.devices=[0,1,2]", "data.batch_size=32: expected a multiple of the number of processes, 3"),
        ("trainer.devices=0", "trainer.devices=0: expected a number of devices from 1"),
        ("trainer.devices=-1", "trainer.devices=-1: stands for all GPUs"),
        ("model.generator_optimizer.lr=1" + "0" * 400, "model.generator_optimizer.lr=1000"),
        ("trainer.devices=true", "trainer.devices=True: expected a number of devices from 1"),
        ("trainer.precision=16-true", "trainer.precision='16-true': expected one of 32-true"),
        ("network.generator.negative_slope=nan", "network.generator.negative_slope=nan: expected a finite number"),
        ("network.discriminator.image_shape=[1,14,14]", "network.discriminator.image_shape=[1, 14, 14]: expected"),
        (
            "~model.penalties.r1.weight",
            "model.penalties.r1.weight: gan_lightning.losses.r1 needs this argument",
        ),
        (
            "+model.generator_optimizer.wieght_decay=1",
            "model.generator_optimizer.wieght_decay: torch.optim.Adam has no such argument; did you mean weight_decay?",
        ),
        ("+trainer.enable_progress_bar=false", "trainer.enable_progress_bar: is set by the callbacks"),
        (
            "data=gaussian_1d augment=adaptive",
            "model.augment: data.image_shape=[1]: it needs images; choose augment=null",
        ),
        ("data=gaussians_2d model/penalties=cr", "model.penalties.cr: data.image_shape=[2]: it needs images"),
        ("model/loss=top_k model.loss.share=0", "model.loss.share=0: expected a number above 0"),
        (
            "model/loss=top_k model.schedules.loss.share.floor=2",
            "model.schedules.loss.share.floor=2: expected a number above 0",
        ),
        ("model=gan model.loss.real_label=1.1", "model.loss.real_label=1.1: expected a number above 0"),
        ("augment=diffaugment model.augment.policy=[colors]", "model.augment.policy=['colors']: expected Sequence"),
        ("augment=diffaugment model.augment.p=1.5", "model.augment.p=1.5: expected a number from 0 to 1"),
        ("augment=bgc model.augment.strengths.hue=2", "model.augment.strengths.hue=2: expected a number from 0 to 1"),
        ("augment=adaptive model.augment.target=1", "model.augment.target=1: expected a number above -1, below 1"),
        ("augment=adaptive model.augment.ada_images=0", "model.augment.ada_images=0: expected a whole number"),
        ("regularizer=lecam model.regularizers.lecam.decay=1", "model.regularizers.lecam.decay=1: expected a number"),
        ("model.accumulate=0", "model.accumulate=0: expected a whole number from 1"),
        ("model.accumulate=5", "model.accumulate=5: expected a divisor of a process's part of the batch, 32"),
        ("+trainer.accumulate_grad_batches=2", "use model.accumulate"),
        ("data=gaussian_1d model.conditional=true", "model.conditional=True: the data has no labels"),
        ("network.discriminator.condition_dim=10", "network.discriminator.condition_dim=10: it would get no labels"),
        (
            "model.conditional=true network.generator.condition_dim=0",
            "network.generator.condition_dim=0: expected data.condition_dim=10",
        ),
        ("data=gaussian_1d", "network.generator: MLPGenerator ends in tanh, and the data lies beyond [-1, 1]"),
        (
            "augment=diffaugment model.augment.policy=[quarter_turns] data.image_shape=[1,28,32]",
            "model.augment.policy: quarter_turns need square images; data.image_shape=[1, 28, 32]",
        ),
        (
            "augment=adaptive augment@model.augment.transforms=diffaugment "
            "model.augment.transforms.policy=[quarter_turns] data.image_shape=[1,28,32]",
            "model.augment.transforms.policy: quarter_turns need square images; data.image_shape=[1, 28, 32]",
        ),
        ("trainer.num_nodes=true", "trainer.num_nodes=True: expected a whole number"),
        ("trainer.fast=true trainer.deterministic=true", "trainer.fast=True: its kernels are chosen by a trial"),
        (
            "model.standing_statistics=4 trainer.sync_batchnorm=true trainer.accelerator=auto",
            "model.standing_statistics=4: each process measures batch norm for itself",
        ),
        ("trainer.fast=1", "trainer.fast=1: expected bool"),
        ("model.scheduler=5", "model.scheduler=5: expected"),
        ("model.optimizer._target_=null", "model.optimizer._target_=None: expected the name of a class"),
        ("model.penalty_every=0", "model.penalty_every=0: expected a whole number from 1"),
        ("model.discriminator_optimizer.lr={}", "model.discriminator_optimizer.lr={}: expected a number above 0"),
        ("+model.generator_optimizer.amsgrad=often", "model.generator_optimizer.amsgrad='often': expected bool"),
        ("objective=[1]", "objective=[1]: expected a text, or null"),
        ("augment=diffaugment model.augment.policy=5", "model.augment.policy=5: expected Sequence"),
        (
            "augment=diffaugment model.augment.policy=[color,5,color,color]",
            "model.augment.policy=['color', 5, 'color', 'color']: expected Sequence",
        ),
        (f"data.condition_dim=1{'0' * 400}", f"data.condition_dim=1{'0' * 59}... (401 characters): expected a whole"),
        (f"callbacks.video.fps=1{'0' * 400}", "(401 characters): expected a whole number from 1 to 240"),
        ("network.generator.hidden_dims=[1048576,1048576]", "network.generator: training it needs 16,3"),
        (
            "data=avatars data.count=100000000 data.batch_size=32",
            "data.count=100000000: so many samples need 1,144 GiB",
        ),
        (
            "+model.scheduler._target_=torch.optim.lr_scheduler.ReduceLROnPlateau +model.scheduler._partial_=true",
            "model.scheduler: ReduceLROnPlateau waits for a metric",
        ),
        ("+model.schedules.optimizer.lr=5", "model.schedules.optimizer.lr=5: expected a curve, such as"),
        (
            f"+model.schedules.optimizer.rl={LINEAR}",
            "model.schedules.optimizer.rl: there is no number model.optimizer.rl",
        ),
        (
            f"+model.schedules.n_critic={LINEAR}",
            "model.schedules.n_critic: expected the name of a number that can have",
        ),
        (f"+model.schedules.penalties.r2.weight={LINEAR}", "there is no number model.penalties.r2.weight to schedule"),
        (f"+model.schedules.optimizer.betas.2={LINEAR}", "there is no number model.optimizer.betas.2 to schedule"),
        (f"+model.schedules.ema.half_life={LINEAR}", "there is no number callbacks.ema.half_life to schedule"),
        (
            f"+model.schedules.optimizer.lr={LINEAR} +model.schedules.optimizer.lr.begin=5",
            "lr.until=5: expected more than",
        ),
        (
            f"+model.schedules.optimizer.lr={LINEAR} model.schedules.optimizer.lr.until=0",
            "lr.until=0: expected a number",
        ),
        (
            f"+model.schedules.optimizer.lr={LINEAR} +model.schedules.optimizer.lr.unit=epochs",
            "lr.unit='epochs': expected",
        ),
        (f"+model.schedules.optimizer.lr={LINEAR} +model.schedules.optimizer.lr.unti=4", "did you mean until?"),
        (
            f"+model.schedules.optimizer.betas.1={LINEAR}",
            "model.schedules.optimizer.betas.1.end=1: expected a number from 0",
        ),
        ("model=sngan trainer.max_epochs=-1", "optimizer.lr.unit=run: the run has no end; set trainer.max_steps"),
        (
            "+model.schedules.optimizer.lr={_target_:gan_lightning.losses.Hinge}",
            "model.schedules.optimizer.lr: gan_lightning.losses.Hinge is none; expected a curve, such as",
        ),
    ],
)
def test_refused_with_its_reason(override, message):
    assert message in refusal(*TINY, *override.split(" "))


def test_a_refusal_ends_the_command_and_leaves_nothing(command):
    assert "model.optimizer.lr=-1: expected a number above 0" in refused(command("run", *TINY, "model.optimizer.lr=-1"))


def test_there_is_no_such_accelerator(command):
    assert "trainer.accelerator" in refused(command("run", *TINY[1:], "trainer.accelerator=gpu"))


def test_networks_that_do_not_fit_the_data():
    for network, generator in (("scalar", "ScalarGenerator"), ("dirac", "DiracGenerator")):
        message = f"network.generator: {generator} is for numbers, data.image_shape=[1, 28, 28]"
        assert message in refusal(f"network={network}")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.batch_size=1438",), "data.batch_size=1438 is larger than the data: Digits has 1437 images"),
        (
            ("model=matching_aware", *AVATARS, "data.image_shape=[3,32,32]", "data.labeled_fraction=0"),
            "model.conditional=true: the data has no labels",
        ),
        (("network=faces", "data=gaussians_2d"), "data.image_shape=[2]: expected [channels, height, width]"),
        ((*AVATARS, "data.image_shape=[2,32,32]"), "images of 3 channels cannot have 2"),
        (
            ("model=acgan", *AVATARS, "data.image_shape=[3,32,32]"),
            "data: its samples have several tags each; ACGAN needs classes",
        ),
        (("callbacks.samples._target_=gan_lightning.callbacks.DensityPlot",), "DensityPlot needs data=gaussian_1d"),
        (
            ("model=lsgan", "augment=adaptive"),
            "the sign of D's logits, which says nothing under model.loss=LeastSquares; choose augment=",
        ),
    ],
)
def test_refused_by_the_parts_themselves(command, overrides, message):
    """What only the data and the networks know, once they are built."""
    assert message in refused(command("run", *overrides, "trainer=cpu", "callbacks.progress=null"))


def test_every_problem_at_once():
    output = refusal("model.optimizer.lr=-1", "data.batch_size=0", "model.n_critic=two")
    assert "3 problems" in output
    for key in ("model.optimizer.lr=-1", "data.batch_size=0", "model.n_critic='two'"):
        assert key in output


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("mdoel.optimizer.lr=1", "model.optimizer.lr"),
        ("model.optimzer.lr=1", "model.optimizer.lr"),
        ("trainer.max_step=1", "trainer.max_steps"),
    ],
)
def test_a_misspelt_key_suggests_the_nearest(command, override, nearest):
    outcome = command("run", override)
    assert outcome.code == 1
    assert f"no such key; did you mean {nearest}?" in outcome.output


def test_missing_mnist_without_a_network(command, tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    output = refused(command("run", "experiment=vanilla_mnist", f"data.root={tmp_path}/nowhere"))
    assert f"MNIST is not in {tmp_path}/nowhere/MNIST/raw, and the download failed" in output
    assert "Set data.root to a folder that contains MNIST/raw/train-images-idx3-ubyte" in output


def test_both_sides_follow_the_optimizer_and_one_may_differ(train):
    outcome = train(
        "run",
        *TINY,
        "trainer.max_steps=1",
        "model.optimizer.lr=3e-4",
        "model.discriminator_optimizer.lr=7e-4",
    )
    discriminator, generator = outcome.checkpoint["optimizer_states"]
    assert discriminator["param_groups"][0]["lr"] == 7e-4
    assert generator["param_groups"][0]["lr"] == 3e-4


@pytest.mark.parametrize(
    "off",
    [
        ("model=sngan", "model.schedules.generator_optimizer.lr=null"),
        ("regularizer=lecam", "model.schedules.regularizers.lecam.weight=null"),
    ],
)
def test_null_is_no_schedule(off):
    *names, last = off[1].removesuffix("=null").split(".")
    schedules = check.check(composed(*TINY, *off))["model"]["schedules"]
    for name in names[2:]:
        schedules = schedules[name]
    assert schedules[last] is None


def test_a_given_number_of_steps_replaces_the_default_epochs():
    for given, epochs, steps in (("max_steps=60", -1, 60), ("max_epochs=1", 1, -1)):
        trainer = composed(*TINY, f"trainer.{given}").trainer
        assert (trainer.max_epochs, trainer.max_steps) == (epochs, steps)


def test_another_package_is_callable_only_when_trusted(command, monkeypatch):
    target = "network.discriminator._target_=helpers.DropoutDiscriminator"
    overrides = (*WITHOUT_MLP, "trainer.max_steps=1", target)
    assert command("run", *overrides).code == 0
    monkeypatch.setenv("GAN_LIGHTNING_TRUST", "")
    assert "GAN_LIGHTNING_TRUST=helpers" in refused(command("other", *overrides))
