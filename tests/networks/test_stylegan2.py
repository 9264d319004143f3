"""StyleGAN2's networks: what is random in training, what the authors' code has at its sizes, and what is refused."""

import pytest
import torch

from gan_lightning.networks import MinibatchStd, StyleGAN2Discriminator, StyleGAN2Generator
from gan_lightning.networks.equalized import EqualizedConv2d, EqualizedLinear
from tests.conftest import training_differences
from tests.models.composed import build_both
from tests.models.test_gan import trainer

SMALL = {"base_channels": 2, "mapping_layers": 2}
FORMS = ("skip", "residual", "plain")


def pair(shape=(3, 16, 16), condition_dim=0, form="skip", join="inner_product", **generator):
    return (
        StyleGAN2Generator(3, shape, **SMALL, w_dim=5, form=form, condition_dim=condition_dim, **generator),
        StyleGAN2Discriminator(
            shape, **SMALL, form=form, minibatch_std=MinibatchStd(), condition_dim=condition_dim, join=join
        ),
    )


@pytest.mark.parametrize("condition_dim", [0, 4])
@pytest.mark.parametrize(("size", "channels", "form"), [(16, 1, "skip"), (32, 3, "residual"), (64, 3, "plain")])
def test_any_size_and_form(size, channels, form, condition_dim):
    shape = (channels, size, size)
    generator, discriminator = pair(shape, condition_dim, form)
    condition = torch.eye(4)[[0, 3]] if condition_dim else None
    images = generator(torch.randn(2, 3), condition)
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    assert discriminator(images, condition).shape == (2,)


@pytest.mark.parametrize("join", ["inner_product", "projection", "concat"])
@pytest.mark.parametrize("form", FORMS)
def test_gradients_reach_every_parameter_and_so_does_the_condition(form, join):
    torch.manual_seed(0)
    networks = pair(condition_dim=4, form=form, join=join)
    generator, discriminator = networks
    z, condition = torch.randn(4, 3), torch.eye(4)
    discriminator(generator(z, condition), condition).square().sum().backward()
    assert [name for each in networks for name, p in each.named_parameters() if not p.grad.any()] == []
    images = generator.eval()(z[:1].expand(4, -1), condition)
    assert not torch.allclose(images[0], images[1])
    logits = discriminator(images[:1].expand(4, -1, -1, -1), condition)
    assert not torch.allclose(logits[0], logits[1])


def test_in_eval_mode_a_sample_depends_on_its_latents_alone():
    generator = pair(style_mixing=1.0)[0]
    for block in generator.blocks:
        for layer in block.layers:
            torch.nn.init.constant_(layer.noise_strength, 1.0)
    z = torch.randn(3, 3)
    assert not torch.allclose(generator(z), generator(z))
    generator.eval()
    images = generator(z)
    torch.testing.assert_close(generator(z[1:2]), images[1:2])
    torch.testing.assert_close(generator.synthesize(generator.map_latents(z)), images)
    generator.blocks[0].layers[0].noise.add_(1)
    assert not torch.allclose(generator(z), images)


def test_two_latents_share_an_image_from_a_random_layer_on():
    torch.manual_seed(0)
    generator = pair((1, 32, 32), style_mixing=0.5)[0]
    z = torch.randn(4, 3)
    own = generator.map_latents(z)[:, None]
    firsts = []
    for _ in range(200):
        mixed = (generator.styles(z) != own).any(2)
        assert (mixed == mixed[0]).all()
        first = int(mixed[0].logical_not().sum())
        assert mixed[0, first:].all()
        firsts.append(first)
    assert set(firsts) == set(range(1, generator.num_layers + 1))
    assert 70 < firsts.count(generator.num_layers) < 130  # not mixed
    generator.style_mixing = 0.0
    assert torch.equal(generator.styles(z), own.expand(-1, generator.num_layers, -1))


def test_the_mean_of_w_moves_in_training_alone():
    generator = pair(style_mixing=1.0)[0]
    z = torch.randn(6, 3)
    generator(z)
    mean = 0.005 * generator.map_latents(z).mean(0)
    torch.testing.assert_close(generator.w_mean, mean)
    generator.eval()(z)
    torch.testing.assert_close(generator.w_mean, mean)


def test_an_equalized_layer_keeps_the_variance_and_its_weights_start_alike():
    torch.manual_seed(0)
    x = torch.randn(64, 300)
    for multiplier in (1.0, 0.01):
        layer = EqualizedLinear(300, 400, lr_multiplier=multiplier)
        assert layer.weight.std().item() * multiplier == pytest.approx(1, rel=0.02)
        assert layer(x).std().item() == pytest.approx(1, rel=0.02)
    layer = EqualizedConv2d(30, 40, 3)
    assert layer.weight.std().item() == pytest.approx(1, rel=0.02)
    assert layer(torch.randn(4, 30, 20, 20))[..., 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.05)


def test_the_papers_sizes_have_as_many_weights_as_the_authors():
    """Of ADA's preset `cifar` with 10 classes, and of StyleGAN2 for 256x256 with 8 layers of mapping."""
    with torch.device("meta"):
        channels, shape = [512] * 4, (3, 32, 32)
        generator = StyleGAN2Generator(512, shape, 16, channels, 512, 2, condition_dim=10)
        discriminator = StyleGAN2Discriminator(shape, 16, channels, "plain", 8, MinibatchStd(32), 10)
        channels, shape = [512, 512, 512, 512, 512, 256, 128], (3, 256, 256)
        larger = StyleGAN2Generator(512, shape, 16, channels, 512, 8)
        larger_d = StyleGAN2Discriminator(shape, 16, channels[::-1], "residual", 8, MinibatchStd())
    counts = [sum(p.numel() for p in each.parameters()) for each in (generator, discriminator, larger, larger_d)]
    assert counts == [20_215_315, 23_089_664, 30_034_338, 28_864_129]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 48, 48), (3, 8, 8), (3, 32, 64)])
def test_other_sizes_are_refused(shape):
    for network in (lambda: StyleGAN2Generator(3, shape), lambda: StyleGAN2Discriminator(shape)):
        with pytest.raises(ValueError, match=r"data.image_shape=\[.*is no square of a power of two from 16 on"):
            network()


def test_as_many_channels_as_maps():
    for network, player in (
        (lambda: StyleGAN2Generator(3, (1, 32, 32), channels=[4, 4]), "generator"),
        (lambda: StyleGAN2Discriminator((1, 32, 32), channels=[4, 4]), "discriminator"),
    ):
        with pytest.raises(ValueError, match=rf"network.{player}.channels=\[4, 4\]: expected 4, one for each map"):
            network()


TINY = (
    *("experiment=stylegan2_small", "trainer=cpu", "data=digits", "data.image_shape=[1,16,16]", "data.batch_size=8"),
    *("network.generator.base_channels=2", "network.discriminator.base_channels=2", "network.generator.w_dim=8"),
    *("model.penalty_every=2", "model.generator_regularizers.path_length.every_n_updates=2", "callbacks.video=null"),
)


def test_all_of_it_trains():
    model, data = build_both(*TINY, "model.conditional=true")
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer(2).fit(model, data)
    assert {"path_length", "r1"} <= {name for terms in model.last_output["terms"].values() for name in terms}
    assert [name for name, p in model.named_parameters() if torch.equal(p, start[name])] == []
    assert model.generator_regularizers["path_length"].mean > 0


@pytest.mark.slow
def test_it_goes_on_exactly(train):
    """With noise, style mixing, path length, and the EMA, which has the mean of w, too."""
    quick = (*TINY, "callbacks.progress=null", "callbacks.samples=null")
    whole = train("whole", *quick, "trainer.max_steps=6")
    first = train("first", *quick, "trainer.max_steps=3")
    resumed = train("first", f"resume={first.folder}", "trainer.max_steps=6")
    assert training_differences(resumed, whole) == []
    state = whole.checkpoint["state_dict"]
    assert torch.equal(state["generator_ema.w_mean"], state["generator.w_mean"])
    assert state["generator.w_mean"].any()
