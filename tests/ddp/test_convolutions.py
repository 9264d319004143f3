"""Two processes with convolutions, whose channels are last, and with fakes that both players share."""

import pytest
import torch

NETWORKS = {
    "r3gan": ("model=r3gan", "network=r3gan", "network.generator.blocks=1", "data.generator_real_batch_size=null"),
    "dcgan": ("network=dcgan",),
    "stylegan2": (  # without what is random in each process, or compares the samples of a process
        *("network=stylegan2", "network.generator.noise=false", "network.generator.style_mixing=0.0"),
        *("network.discriminator.minibatch_std=null", "generator_regularizer=path_length"),
        "model.generator_regularizers.path_length.every_n_updates=1",
    ),
}
WIDTHS = tuple(f"network.{player}.base_channels=4" for player in ("generator", "discriminator"))
RUN = (
    *("trainer=cpu", "trainer.max_steps=3", "callbacks.progress=null", "callbacks.samples=null"),
    *("data.image_shape=[3,16,16]", "data.limit=64", "data.batch_size=16", "model.reuse_fake=true"),
    *WIDTHS,
)


@pytest.mark.slow
@pytest.mark.parametrize("family", NETWORKS)
def test_two_processes_train_as_one(train_apart, family):
    one, two = (
        train_apart(f"of_{devices}", *RUN, *NETWORKS[family], f"trainer.devices={devices}") for devices in (1, 2)
    )
    assert (one.code, two.code) == (0, 0), two.output
    weights = [run.checkpoint["state_dict"] for run in (one, two)]
    has_batch_norm = any("running" in name for name in weights[0])  # whose batches are those of a process
    assert has_batch_norm == (family == "dcgan")
    if not has_batch_norm:
        torch.testing.assert_close(*weights, rtol=1e-3, atol=1e-4)
