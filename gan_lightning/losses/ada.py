"""Adaptive discriminator augmentation: the rule for the probability of the augmentations."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.distributed.collectives import all_reduce_sum_
from gan_lightning.losses.augmentation import Augment, Images
from gan_lightning.losses.pipeline import AugmentPipeline
from gan_lightning.losses.terms import Part, StepOutput


class AdaptiveAugment(Part):
    """ADA: Karras et al. 2020 (arXiv:2006.06676), section 3: it adapts the p of an augmentation.

        r = E sign(D(x)),  over the real samples of some batches            (eq. 1, r_t)
        p <- p + sign(r - target) * images / ada_images,  within [0, 1]

    where `images` is the number of those samples. When D overfits, its logits of real samples grow, and so do r and the
    probability p. ADA does not work where the sign of a logit has no meaning (Wasserstein).

    Args:
        transforms: The augmentation; p starts at its own. None: the paper's `AugmentPipeline`, from p = 0.
        target: The target of r, in (-1, 1).
        ada_images: The number of real images in which p can go from 0 to 1.
        every_n_batches: The number of batches between two changes of p.
    """

    signs: Tensor
    images: Tensor
    batches: Tensor

    def __init__(
        self,
        transforms: Augment | None = None,
        target: float = 0.6,
        ada_images: int = 500_000,
        every_n_batches: int = 4,
    ) -> None:
        super().__init__()
        self.transforms = transforms or AugmentPipeline(p=0.0)
        self.target = target
        self.ada_images = ada_images
        self.every_n_batches = every_n_batches
        self.register_buffer("signs", torch.tensor(0.0))
        self.register_buffer("images", torch.tensor(0.0))
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, images: Images) -> Images:
        """Returns the augmented images."""
        return self.transforms(images)

    @torch.no_grad()
    def on_step_end(self, output: StepOutput) -> None:
        """Sums the signs of the real logits of all processes; changes p every `every_n_batches` batches."""
        real = output["logits"]["real"]
        signs, images = all_reduce_sum_(
            torch.stack([real.sign(), torch.ones_like(real)]).sum(1, dtype=self.signs.dtype)
        )
        self.signs += signs
        self.images += images
        self.batches += 1
        # Computed on the device: an `if` would make the step wait for the GPU.
        due = self.batches % self.every_n_batches == 0
        move = (self.signs / self.images - self.target).sign() * self.images / self.ada_images
        p = self.transforms.p
        p.copy_((p + due * move).clamp(0, 1))
        self.signs *= ~due
        self.images *= ~due

    def metrics(self, output: StepOutput) -> dict[str, Tensor]:
        """Returns the probability as `augment/p`."""
        return self.transforms.metrics(output)
