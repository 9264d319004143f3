"""What torch does where `_compat.torch` stands in for it; a new version that does otherwise fails here."""

import torch.distributed as dist

from gan_lightning._compat.torch import abort_collectives


def test_an_aborted_group_is_gone(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    aborted = dist.group.WORLD
    abort_collectives()
    assert not dist.is_initialized()
    assert aborted is not dist.group.WORLD
