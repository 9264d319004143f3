"""Every transform against scipy, numpy and plain loops; what is drawn against its distribution; ADA by hand."""

import copy
from inspect import unwrap  # of the checks that the tests put around every function

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from gan_lightning.losses import AdaptiveAugment, DiffAugment, StepOutput, augmentation

EVERYTHING = ("color", "translation", "cutout", "flip", "quarter_turns")
SHAPES = pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 7, 10), (3, 9, 6), (2, 1, 5)])


def pictures(shape, count=6):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def per_sample(images, function, *numbers):
    """`function` of one image at a time, in numpy."""
    rows = zip(images.numpy(), *(n.tolist() for n in numbers), strict=True)
    return torch.from_numpy(np.stack([function(*row) for row in rows]).astype(np.float32))


@SHAPES
def test_color_is_the_formula_for_each_sample(shape):
    images, numbers = pictures(shape), torch.linspace(-0.4, 1.8, 6)
    for function, expected in (
        (augmentation.brightness, lambda x, n: x + n),
        (augmentation.saturation, lambda x, n: x.mean(0) + n * (x - x.mean(0))),
        (augmentation.contrast, lambda x, n: x.mean() + n * (x - x.mean())),
    ):
        torch.testing.assert_close(function(images, numbers), per_sample(images, expected, numbers))


def test_grey_images_have_no_saturation_to_change():
    images = pictures((1, 8, 8))
    torch.testing.assert_close(augmentation.saturation(images, torch.zeros(6)), images)


@SHAPES
def test_translation_is_scipys(shape):
    images, down, right = pictures(shape), torch.tensor([0, 1, -2, 3, -9, 20]), torch.tensor([0, -1, 2, 0, 1, 1])
    expected = per_sample(images, lambda x, d, r: ndimage.shift(x, (0, d, r), order=0), down, right)
    assert torch.equal(augmentation.translation(images, down, right), expected)


@SHAPES
def test_cutout_is_a_rectangle_of_zeros(shape):
    images, top, left = pictures(shape), torch.tensor([0, 1, -2, 5, -9, 20]), torch.tensor([0, -1, 2, 4, 1, 1])

    def cut(image, top, left):
        return np.array(
            [
                [
                    [
                        0 if top <= row < top + 4 and left <= column < left + 3 else value
                        for column, value in enumerate(v)
                    ]
                    for row, v in enumerate(channel)
                ]
                for channel in image
            ]
        )

    assert torch.equal(augmentation.cutout(images, top, left, 4, 3), per_sample(images, cut, top, left))


def test_quarter_turns_are_numpys():
    images, turns = pictures((3, 5, 5)), torch.tensor([0, 1, 2, 3, 1, 0])
    expected = per_sample(images, lambda x, k: np.rot90(x, k, (1, 2)), turns)
    assert torch.equal(augmentation.quarter_turns(images, turns), expected)


def test_quarter_turns_need_squares():
    with pytest.raises(ValueError, match=r"model\.augment\.policy: quarter turns need square images, got 4x6"):
        DiffAugment(("quarter_turns",))(pictures((1, 4, 6)))


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 4, 4)])
@pytest.mark.parametrize("policy", [*((name,) for name in EVERYTHING), EVERYTHING], ids="-".join)
def test_first_and_second_derivatives(shape, policy):
    """The second belong to R1, which looks at D through it."""
    augment = DiffAugment(policy, p=0.7)

    def augmented(images):
        torch.manual_seed(3)
        return augment(images)

    images = pictures(shape, 2).double().requires_grad_(True)
    assert augmented(images).dtype == torch.float64
    torch.autograd.gradcheck(augmented, images)
    torch.autograd.gradgradcheck(lambda x: augmented(x.square()), images)


def is_uniform(values, low, high) -> bool:
    inside = values.min() > low - 1e-3 and values.max() < high + 1e-3
    return inside and stats.kstest(values.numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-3


@pytest.mark.parametrize("channels", [1, 3])
def test_color_draws_what_the_paper_says(channels):
    """Brightness, contrast and saturation, read off the augmented images."""
    torch.manual_seed(0)
    image = pictures((channels, 6, 6), 1).double()
    augmented = DiffAugment(("color",))(image.expand(3000, -1, -1, -1))
    gray, gray_before = augmented.mean(1), image.mean(1)
    contrast = gray.std((1, 2)) / gray_before.std()
    assert is_uniform(contrast, 0.5, 1.5)
    assert is_uniform(augmented.mean((1, 2, 3)) - image.mean(), -0.5, 0.5)
    assert not is_uniform(contrast, 0.5, 1.7)
    if channels == 3:
        chroma = (augmented - augmented.mean(1, keepdim=True)).std((1, 2, 3)) / (image - gray_before).std()
        assert is_uniform(chroma / contrast, 0.0, 2.0)


@pytest.mark.parametrize(("height", "width", "down", "right"), [(16, 24, 2, 3), (28, 28, 4, 4), (4, 2, 1, 0)])
def test_translation_draws_up_to_an_eighth(height, width, down, right):
    """28 / 8 = 3.5 and 4 / 8 = 0.5 are rounded up."""
    torch.manual_seed(0)
    ramp = (torch.arange(height * width, dtype=torch.float32) + 1).view(1, 1, height, width).expand(2000, -1, -1, -1)
    augmented = DiffAugment(("translation",))(ramp)
    row, column = height // 2, width // 2
    pixel = augmented[:, 0, row, column].long() - 1
    moves = set(zip((row - pixel // width).tolist(), (column - pixel % width).tolist(), strict=True))
    assert moves == {(d, r) for d in range(-down, down + 1) for r in range(-right, right + 1)}


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 6), (7, 10)])
def test_cutout_covers_half_of_each_side_around_any_pixel(height, width):
    """Centers from the first pixel on; of a rectangle with an even side, the center is a pixel's edge."""
    torch.manual_seed(0)
    holes = DiffAugment(("cutout",))(torch.ones(2000, 1, height, width))[:, 0] == 0
    assert torch.equal(holes, holes.any(1)[:, None, :] & holes.any(2)[:, :, None])  # rectangles
    for lines, whole in ((holes.any(2), height), (holes.any(1), width)):
        side = (whole + 1) // 2
        centers = range(whole + 1 - side % 2)
        starts = [center - side // 2 for center in centers]
        expected = {tuple(max(start, 0) <= i < start + side for i in range(whole)) for start in starts}
        assert {tuple(line) for line in lines.tolist()} == expected


def test_every_sample_has_its_own_draw_and_the_seed_decides():
    images = pictures((3, 16, 16), 1).expand(32, -1, -1, -1)
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(DiffAugment()(images))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert len(results[0].flatten(1).unique(dim=0)) == 32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_type_and_images_themselves_stay(dtype):
    images = pictures((3, 12, 12)).to(dtype)
    before = images.clone()
    augmented = DiffAugment(EVERYTHING)(images)
    assert (augmented.shape, augmented.dtype) == (images.shape, dtype)
    assert torch.equal(images, before)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_p_is_the_fraction_of_the_samples_that_are_met(p):
    torch.manual_seed(0)
    met = (DiffAugment(("cutout",), p)(torch.ones(4000, 1, 8, 8)) == 0).flatten(1).any(1)
    assert met.float().mean().item() == pytest.approx(p, abs=0.03)


def test_no_default_turns_a_digit_into_another():
    assert set(DiffAugment().policy) == {"color", "translation", "cutout"}


def test_flips_are_of_left_and_right_in_half_of_the_samples():
    torch.manual_seed(0)
    image = pictures((2, 4, 5), 1)
    augmented = DiffAugment(("flip",))(image.expand(1000, -1, -1, -1))
    flipped = (augmented == torch.from_numpy(image.numpy()[..., ::-1].copy())).flatten(1).all(1)
    kept = (augmented == image).flatten(1).all(1)
    assert (flipped ^ kept).all()
    assert flipped.float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_points_are_no_images():
    with pytest.raises(ValueError, match=r"model\.augment: it is for images .*got \(6, 2\); choose augment=null"):
        unwrap(DiffAugment.forward)(DiffAugment(), torch.zeros(6, 2))


def test_a_policy_of_what_there_is_not():
    with pytest.raises(ValueError, match=r"model\.augment\.policy=\['colour'\]: expected some of color, translation"):
        unwrap(DiffAugment.__init__)(DiffAugment(), ["colour"])


# Adaptive


def output_with(positive: int, negative: int) -> StepOutput:
    real = torch.cat([torch.full((positive,), 3.0), torch.full((negative,), -0.1)])
    return StepOutput(terms={}, logits={"real": real, "fake": torch.zeros(1)})


def test_p_follows_the_signs():
    """10 samples a batch, 100 to one, every 2 batches: steps of 0.2."""
    augment = AdaptiveAugment(target=0.6, ada_images=100, every_n_batches=2)
    history = []
    for positive in (10, 10, 10, 8, 8, 8, 10, 3, 10, 10, 10, 6, *[10] * 8, *[0] * 2):
        augment.on_step_end(output_with(positive, 10 - positive))
        history.append(round(augment.transforms.p.item(), 6))
    # r: 1 up; 0.8 up; 0.6 is the target; 0.3 down; 1 up; 0.6 again; up, up, up, and no further; -1 down
    pairs = [0.2, 0.4, 0.4, 0.2, 0.4, 0.4, 0.6, 0.8, 1.0, 1.0, 0.8]
    assert history[1::2] == pytest.approx(pairs)
    assert history[0::2] == pytest.approx([0.0, *pairs[:-1]])  # never between two batches of a pair


def test_p_does_not_fall_below_0():
    augment = AdaptiveAugment(ada_images=100, every_n_batches=1)
    augment.on_step_end(output_with(0, 10))
    assert augment.transforms.p.item() == 0.0
    augment.on_step_end(output_with(10, 0))
    assert augment.transforms.p.item() == pytest.approx(0.1)


def test_adaptation_goes_on_from_its_state():
    """Saved between two changes of p."""
    one = AdaptiveAugment(ada_images=100, every_n_batches=3)
    for positive in (10, 10):
        one.on_step_end(output_with(positive, 10 - positive))
    other = AdaptiveAugment(ada_images=100, every_n_batches=3)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for augment in (one, other):
        for positive in (7, 10, 10, 8):  # r is 0.8, where the last of its three batches alone has 0.4
            augment.on_step_end(output_with(positive, 10 - positive))
    assert one.transforms.p.item() == other.transforms.p.item() == pytest.approx(0.6)
    assert torch.equal(one.signs, other.signs)


def test_half_precision_counts_exactly():
    """In bfloat16 itself, 256 + 1 is 256."""
    augment = AdaptiveAugment(ada_images=1000, every_n_batches=100)
    logits = {name: logits.bfloat16() for name, logits in output_with(900, 101)["logits"].items()}
    augment.on_step_end(StepOutput(terms={}, logits=logits))
    assert augment.signs.item() == 799
    assert augment.images.item() == 1001


def test_augmented_samples_are_as_many_as_p_says():
    torch.manual_seed(0)
    augment = AdaptiveAugment(DiffAugment(("cutout",), p=0.0), ada_images=1000, every_n_batches=1)
    images = torch.ones(4000, 1, 8, 8)
    assert torch.equal(augment(images), images)
    augment.on_step_end(output_with(400, 0))
    assert (augment(images) == 0).flatten(1).any(1).float().mean().item() == pytest.approx(0.4, abs=0.03)
