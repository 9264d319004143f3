"""Terms of G's loss that D has no part in: when they are added, with which factor, and to what."""

from functools import partial

import pytest
import torch

from gan_lightning.losses import DiffAugment, Generated, GeneratorRegularizer, OrthogonalRegularizer, PathLength
from gan_lightning.models import GAN, spectrally_normalized
from gan_lightning.models.phases import critic_warmup, simultaneous
from gan_lightning.networks import BigGANGenerator, MLPGenerator, StyleGAN2Generator
from gan_lightning.schedules import Constant, Steps
from tests.models.test_compiled import not_compiled  # noqa: F401
from tests.models.test_gan import SGD, fit, networks
from tests.models.test_pack import COUNT, DRAWS, LATENT, batch, packed_gan
from tests.models.test_pack import SHAPE as PACKED_SHAPE
from tests.models.test_variants import conditional_networks


class Spread(GeneratorRegularizer):
    """The mean distance of a sample to that of a latent beside it; it counts its calls."""

    def __init__(self, weight=0.5, every_n_updates=1):
        super().__init__(weight, every_n_updates)
        self.register_buffer("calls", torch.tensor(0.0))

    def value(self, generator, fake):
        self.calls += 1
        near = generator(fake.z + 0.1 * fake.draw_noise(torch.randn, fake.z.shape[1]), fake.condition)
        return (fake.samples - near).square().mean()


def trained(max_steps=6, precision="32-true", **more):
    """The model after some batches, and what was logged in each."""
    pair = conditional_networks() if more.get("conditional") else networks(batch_norm=False)
    model = GAN(*pair, optimizer=SGD, seed=5, **more)
    logged = []
    model.log_now = logged.append
    fit(model, max_steps, log_every_n_steps=1, precision=precision)
    return model, logged


@pytest.mark.parametrize(("n_critic", "every", "calls"), [(1, 1, 12), (1, 3, 4), (2, 1, 6), (2, 3, 2)])
def test_it_is_used_in_every_nth_update_of_the_generator(n_critic, every, calls):
    model, _ = trained(12, n_critic=n_critic, generator_regularizers={"spread": Spread(0.5, every)})
    assert model.generator_regularizers["spread"].calls == calls


def test_its_value_is_a_term_of_the_generators_loss_times_the_updates_between_two_uses():
    logged = [trained(1, generator_regularizers={"spread": part})[1][0] for part in (Spread(), Spread(1.5))]
    plain = trained(1)[1][0]
    terms = [each["terms/generator_spread"] for each in logged]
    assert terms[1].item() == pytest.approx(3 * terms[0].item())
    assert terms[0] > 1e-6
    for each, term in zip(logged, terms, strict=True):
        torch.testing.assert_close(each["loss/generator"], plain["loss/generator"] + term)
        torch.testing.assert_close(each["loss/discriminator"], plain["loss/discriminator"])


def test_a_lazy_term_has_the_number_of_updates_as_a_factor():
    _, lazy = trained(2, generator_regularizers={"spread": Spread(0.5, 2)})
    second = {"generator_regularizers.spread.weight": Constant(0.5, begin=1, before=0.0)}
    _, each = trained(2, generator_regularizers={"spread": Spread(0.5)}, schedules=second)
    assert "terms/generator_spread" not in lazy[0]
    assert lazy[1]["terms/generator_spread"].item() == pytest.approx(2 * each[1]["terms/generator_spread"].item())


def moved(generator_regularizers, **more):
    """G's weights after two batches in float64, so that parts of a batch can be compared with the whole."""
    model, _ = trained(2, precision="64-true", generator_regularizers=generator_regularizers, **more)
    return torch.cat([p.detach().flatten() for p in model.generator.parameters()])


@pytest.mark.parametrize(
    "more",
    [{"phases": simultaneous}, {"conditional": True}, {"augment": DiffAugment()}],
    ids=lambda more: next(iter(more)),
)
def test_it_moves_the_generator_beside_every_other_part(more):
    assert not torch.equal(moved({"spread": Spread()}, **more), moved({}, **more))


@pytest.mark.parametrize("more", [{"accumulate": 4}, {"compile": True}], ids=lambda more: next(iter(more)))
def test_the_same_update_in_another_way(more, not_compiled):  # noqa: F811
    torch.testing.assert_close(moved({"spread": Spread()}, **more), moved({"spread": Spread()}), rtol=0, atol=1e-12)


def test_packs_are_for_the_discriminator_alone():
    """It gets the samples themselves, of which D sees two at a time."""
    shapes = []

    class Look(Spread):
        def value(self, generator, fake):
            shapes.append((fake.samples.shape, fake.z.shape))
            return super().value(generator, fake)

    model = packed_gan(generator_regularizers={"look": Look()})
    model.losses(("generator",), batch(), DRAWS)
    assert shapes == [((COUNT, *PACKED_SHAPE), (COUNT, LATENT))]


def test_the_weight_has_a_schedule():
    _, logged = trained(
        4,
        generator_regularizers={"spread": Spread(0.5)},
        schedules={"generator_regularizers.spread.weight": Steps(0.0, 2)},
    )
    assert [each["terms/generator_spread"] > 0 for each in logged] == [True, True, False, False]


def test_lazy_ones_need_updates_at_a_distance():
    phases = partial(critic_warmup, critic_steps=3, first_updates=2)
    with pytest.raises(ValueError, match=r"spread\.every_n_updates=4: expected G to be updated in every n_critic-th"):
        GAN(*networks(), phases=phases, generator_regularizers={"spread": Spread(0.5, 4)})
    GAN(*networks(), phases=phases, generator_regularizers={"spread": Spread(0.5)})


def regularizer_of(generator, **more):
    """What it sees beside the generator does not matter."""
    return OrthogonalRegularizer(0.5)(
        generator, Generated(torch.zeros(2, 1), torch.zeros(2, 4), None, torch.randn), **more
    )


def test_orthogonal_regularization_is_the_papers_sum():
    """Over the weights before normalization, without the labels' embedding, biases and gamma."""
    generator = spectrally_normalized(BigGANGenerator(4, [1, 8, 8], 8, condition_dim=3, attention=8))
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.normal_()
    weights = [p.detach().flatten(1) for name, p in generator.named_parameters() if name.endswith("original")]
    expected = 0.0
    for weight in weights:
        for row, one in enumerate(weight):
            expected += sum(float(one @ other) ** 2 for column, other in enumerate(weight) if column != row)
    assert len(weights) == 1 + 7 + 4 + 1
    assert regularizer_of(generator).item() == pytest.approx(0.5 * expected, rel=1e-4)
    assert regularizer_of(generator, weight=0.25).item() == pytest.approx(0.25 * expected, rel=1e-4)


def test_orthogonal_rows_of_any_length_cost_nothing():
    generator = MLPGenerator(8, [1, 2, 2], [6], batch_norm=False)
    for parameter in generator.parameters():
        if parameter.ndim > 1:
            torch.nn.init.orthogonal_(parameter, gain=3.0)
    assert regularizer_of(generator).item() == pytest.approx(0.0, abs=1e-8)
    assert len([p for p in generator.parameters() if p.ndim > 1]) == 2


def path_length_of(z, shrink=2, decay=0.25):
    """The part and its value at these latents, with noise that depends on the sample alone."""
    torch.manual_seed(0)
    generator = StyleGAN2Generator(3, (1, 16, 16), 2, w_dim=4, mapping_layers=2, style_mixing=0.0, noise=False)
    noise = {tuple(row.tolist()): torch.randn(1, 16, 16) for row in LATENTS}
    part = PathLength(2.0, decay=decay, batch_shrink=shrink)

    def draw_noise(draw, *shape):
        return torch.stack([noise[tuple(row.tolist())] for row in z])

    return part, part(generator, Generated(generator(z), z, None, draw_noise))


LATENTS = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))


def test_path_length_takes_some_latents_and_moves_its_mean():
    """Every second one, so that any number of processes takes the same."""
    part, value = path_length_of(LATENTS)
    alone, same = path_length_of(LATENTS[::2], shrink=1)
    torch.testing.assert_close(value, same)
    torch.testing.assert_close(part.mean, alone.mean)
    still, first = path_length_of(LATENTS[:1], decay=0.0)
    assert still.mean == 0
    lengths = (first / 2).sqrt()  # with a mean of 0
    moved, _ = path_length_of(LATENTS[:1])
    torch.testing.assert_close(moved.mean, 0.25 * lengths.detach())


def test_path_length_is_for_generators_with_styles():
    with pytest.raises(ValueError, match=r"MLPGenerator has no styles, .*choose network=stylegan2, or"):
        GAN(*networks(), generator_regularizers={"path_length": PathLength(2.0)})
