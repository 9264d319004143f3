"""The pipeline of ADA: what NVlabs' numbers (tests/reference) leave open: shapes, types, p, names, other resamplers."""

from inspect import unwrap  # of the checks that the tests put around every function

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from benchmarks.launches import Count
from gan_lightning.losses import AugmentPipeline
from gan_lightning.losses.pipeline import TRANSFORMS
from gan_lightning.losses.warp import low_pass, rotation, scaling, warp

EVERYTHING = dict.fromkeys(TRANSFORMS, 1.0)


def pictures(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def smooth_pictures(height: int, width: int) -> torch.Tensor:
    """Waves that bilinear interpolation and the wavelet resample alike."""
    rows, columns = torch.linspace(0, 1.5, height)[:, None], torch.linspace(0, 1, width)[None]
    return torch.stack([(rows + columns * k).sin() for k in (1, 2)])[None].expand(3, -1, -1, -1)


def test_the_warp_is_torchs_affine_grid_inside_of_the_image():
    images = smooth_pictures(40, 60)
    angle = torch.tensor([0.3, -0.2, 1.0])
    linear = rotation(angle) @ scaling(torch.tensor([0.5, 0.6, 0.3]), torch.tensor([0.6, 0.5, 0.4]))
    shift = torch.tensor([[1.0, -2.0], [0.5, 0.25], [-3.0, 2.0]])
    sides = torch.tensor([60.0, 40.0])
    theta = torch.cat([linear * sides / sides[:, None], (shift * 2 / sides).unsqueeze(2)], 2)
    expected = grid_sample(images, affine_grid(theta, list(images.shape), align_corners=False), align_corners=False)
    torch.testing.assert_close(warp(images, linear, shift, low_pass()), expected, rtol=0, atol=3e-3)


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (2, 3), (1, 4)])
def test_the_warp_of_the_identity_is_the_image_and_beyond_it_is_reflected(size):
    images = pictures(2, 2, *size)
    identity = torch.eye(2).expand(2, 2, 2)
    torch.testing.assert_close(warp(images, identity, torch.zeros(2, 2), low_pass()), images)
    period = 2 * max(size[1] - 1, 1)
    moved = warp(images, identity, torch.tensor([[1.0, 0.0], [period + 1.0, 0.0]]), low_pass())
    columns = [index if index < size[1] else size[1] - 2 for index in range(1, size[1] + 1)]
    torch.testing.assert_close(moved, images[:, :, :, columns])


@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (4, 2, 6, 9), (4, 3, 9, 6)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shapes_types_and_layouts(shape, dtype):
    images = pictures(*shape).to(dtype)
    augmented = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        augmented.append(AugmentPipeline(0.8, EVERYTHING)(images.contiguous(memory_format=layout)))
    assert (augmented[0].shape, augmented[0].dtype) == (images.shape, dtype)
    assert torch.equal(*augmented)
    assert not torch.equal(augmented[0], images)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_p_times_strength_is_the_fraction_of_the_samples_that_a_transform_meets(name):
    """Some numbers change nothing: half of the flips, a quarter of the turns, the smallest of the moves."""
    torch.manual_seed(0)
    images = pictures(1, 3, 8, 8).expand(500, -1, -1, -1)
    changing = {"xflip": 1 / 2, "lumaflip": 1 / 2, "rotate90": 3 / 4, "xint": 3 / 4}  # of each side, no pixel: 1/2
    for p, strength in ((0.0, 1.0), (0.8, 0.5)):
        augmented = AugmentPipeline(p, {name: strength})(images)
        met = (augmented - images).abs().amax((1, 2, 3)) > 1e-4
        assert met.float().mean().item() == pytest.approx(p * strength * changing.get(name, 1), abs=0.07)


def test_the_default_is_bgc_and_names_are_checked():
    assert AugmentPipeline().strengths == {**EVERYTHING, "cutout": 0.0}
    assert AugmentPipeline(strengths={"xflip": 0.5}).strengths == {**dict.fromkeys(TRANSFORMS, 0.0), "xflip": 0.5}
    with pytest.raises(ValueError, match=r"model\.augment\.strengths: \['blur'\]: expected some of xflip, rotate90"):
        unwrap(AugmentPipeline.__init__)(AugmentPipeline(), strengths={"blur": 1.0})


def test_it_waits_for_no_value_from_the_device():
    images = torch.empty(4, 3, 8, 8, device="meta", requires_grad=True)
    augment = AugmentPipeline(0.5, EVERYTHING).to("meta")
    with Count() as counted:
        slope = torch.autograd.grad(augment(images).sum(), images, create_graph=True)[0]
    assert slope.shape == images.shape
    assert not counted.waits.total()


def test_autocast_rounds_nothing():
    images = pictures(4, 3, 8, 8)
    augmented = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            augmented.append(AugmentPipeline(1.0)(images))
    assert torch.equal(*augmented)
