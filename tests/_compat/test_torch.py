"""What torch does where `_compat.torch` stands in for it; a new version that does otherwise fails here."""

import copy

import pytest
import torch
import torch.distributed as dist

from gan_lightning._compat.torch import abort_collectives, copy_all_, honors_found_inf, set_if_not_finite_
from tests.conftest import differing


def test_an_aborted_group_is_gone(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    aborted = dist.group.WORLD
    abort_collectives()
    assert not dist.is_initialized()
    assert aborted is not dist.group.WORLD


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_a_fused_optimizer_that_found_inf_changes_nothing(kind):
    weights = [torch.nn.Parameter(torch.ones(3))]
    assert not honors_found_inf(kind(weights))
    optimizer = kind(weights, fused=True)
    assert honors_found_inf(optimizer)
    for found, changes in ((0.0, True), (1.0, False)):
        optimizer.found_inf = torch.tensor(found)
        before = copy.deepcopy([weights[0].detach(), optimizer.state_dict()])
        weights[0].grad = torch.full((3,), 2.0)
        optimizer.step()
        assert bool(differing(before, [weights[0].detach(), optimizer.state_dict()])) == changes


def test_the_flag_of_what_is_not_finite_stays():
    flag, one = torch.zeros(()), torch.ones(())
    for values, expected in (([1.5, -0.0], 0), ([1.0, torch.inf], 1), ([1.0, 2.0], 1)):
        tensors = [torch.tensor(value) for value in values]
        set_if_not_finite_(flag, tensors, one)
        assert flag == expected
        assert [tensor.item() for tensor in tensors] == values


def test_copies_of_several_dtypes():
    sources = [torch.randn(3), torch.tensor(7), torch.randn(2, 2)]
    targets = [torch.zeros_like(source) for source in sources]
    copy_all_(targets, sources)
    assert all(map(torch.equal, targets, sources))
    copy_all_([], [])
