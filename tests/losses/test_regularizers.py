"""LeCam against its formula, and against a loop that keeps the averages by hand."""

import pytest
import torch

from gan_lightning.losses import LeCam, StepOutput


def output(real, fake) -> StepOutput:
    return StepOutput(terms={}, logits={"real": torch.tensor(real), "fake": torch.tensor(fake)})


def test_lecam_by_hand():
    """Anchors: means of 1, 3 and -1, -3 after two batches, where d is 0 and 1/2; then min(0.6, 2/3) is 0.6."""
    lecam = LeCam(weight=0.5, decay=0.6)
    assert lecam(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0])).item() == pytest.approx(0.5 * (5 + 0.5))
    lecam.on_step_end(output([0.0, 2.0], [-2.0, 0.0]))
    assert lecam.anchors.tolist() == [1.0, -1.0]
    lecam.on_step_end(output([3.0, 3.0], [-2.0, -4.0]))
    assert lecam.anchors.tolist() == [2.0, -2.0]
    value = lecam(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 3.0]))
    assert value.item() == pytest.approx(0.5 * ((3**2 + 4**2) / 2 + (3**2 + 1**2) / 2))
    lecam.on_step_end(output([5.0], [4.0]))
    assert lecam.anchors.tolist() == pytest.approx([0.6 * 2 + 0.4 * 5, 0.6 * -2 + 0.4 * 4])


def test_the_slope_pulls_real_logits_to_the_fake_anchor_and_fake_ones_to_the_real():
    lecam = LeCam(weight=0.3)
    lecam.on_step_end(output([2.0, 4.0], [-1.0, -3.0]))
    real, fake = torch.randn(5, requires_grad=True), torch.randn(5, requires_grad=True)
    lecam(real, fake).backward()
    torch.testing.assert_close(real.grad, 0.3 * 2 * (real.detach() + 2) / 5)
    torch.testing.assert_close(fake.grad, 0.3 * 2 * (fake.detach() - 3) / 5)


def test_half_precision_is_left():
    lecam = LeCam(weight=1.0)
    value = lecam(torch.full((4,), 300.0, dtype=torch.float16), torch.zeros(4, dtype=torch.float16))
    assert value.item() == 90_000  # float16 ends at 65,504


def test_the_averages_go_on_from_a_state():
    one, other = LeCam(weight=1.0), LeCam(weight=1.0)
    one.on_step_end(output([1.0], [2.0]))
    other.load_state_dict(one.state_dict())
    for lecam in (one, other):
        lecam.on_step_end(output([4.0], [-7.0]))
    assert torch.equal(one.anchors, other.anchors)
    assert one.anchors.tolist() == [2.5, -2.5]
