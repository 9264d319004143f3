"""Images per second of each variant's step beside a plain loop with the same networks, losses and optimizers.

    python benchmarks/variant_steps.py --root path/to/data

The plain loops are below, each variant's losses written out by hand; they use every shortcut we know: data in memory,
fused Adam, no gradients for the player that rests, one call of D for each kind of sample, channels last, one spectral
normalization an update. On MNIST, with the DCGAN
networks of width 32, batch 64. train.py logs to TensorBoard as always; the averaged generator, pictures and the
progress bar, which the loops have not, are off.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import cross_entropy, gaussian_nll_loss, one_hot, relu, softplus
from torch.nn.utils import parametrize
from torchvision import datasets
from turns import Loop, Turns, train_in_turns

BATCH = 64
Discriminate = Callable[[Tensor], Any]
Loss = Callable[[Discriminate, Tensor, Tensor], Tensor]
"""D's from D, a real and a fake batch; G's from D, a fake and a real batch."""


def ones(logits: Tensor) -> Tensor:
    return bce(logits, torch.ones_like(logits))


def zeros(logits: Tensor) -> Tensor:
    return bce(logits, torch.zeros_like(logits))


def with_gradient(samples: Tensor) -> Tensor:
    return samples.detach().requires_grad_()


def squared_gradient(logits: Tensor, at: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(logits.sum(), at, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def slope(d: Discriminate, at: Tensor) -> Tensor:
    at = with_gradient(at)
    return (squared_gradient(d(at), at) + 1e-12).sqrt()


def nonsaturating(d: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
    return ones(d(real)) + zeros(d(fake))


def wasserstein(d: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
    return d(fake).mean() - d(real).mean()


def gradient_penalty(d: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
    between = torch.lerp(fake, real, torch.rand(len(real), 1, 1, 1))
    return wasserstein(d, real, fake) + 10 * (slope(d, between) - 1).square().mean()


def dragan(d: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
    norm = slope(d, real + 0.3 * torch.randn_like(real))
    return nonsaturating(d, real, fake) + 10 * (norm - 1).square().mean()


def gan_r1(d: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
    real = with_gradient(real)
    logits = d(real)
    return ones(logits) + zeros(d(fake)) + squared_gradient(logits, real).mean() / 2


def hinge(d: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
    return relu(1 - d(real)).mean() + relu(1 + d(fake)).mean()


def relativistic(real: Tensor, fake: Tensor) -> Tensor:
    return ones(real - fake.mean()) + zeros(fake - real.mean())


def r3gan(d: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
    real, fake = with_gradient(real), with_gradient(fake)
    of_real, of_fake = d(real), d(fake)
    penalties = squared_gradient(of_real, real).mean() / 2 + squared_gradient(of_fake, fake).mean() / 2
    return softplus(of_fake - of_real).mean() + penalties


def beside_real(loss: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    def generator_loss(d: Discriminate, fake: Tensor, real: Tensor) -> Tensor:
        with torch.no_grad():
            real_logits = d(real)
        return loss(d(fake), real_logits)

    return generator_loss


LOSSES: dict[str, tuple[Loss, Loss]] = {
    "dcgan": (nonsaturating, lambda d, fake, real: ones(d(fake))),
    "minimax": (nonsaturating, lambda d, fake, real: -zeros(d(fake))),
    "lsgan": (
        lambda d, real, fake: ((d(real) - 1).square().mean() + d(fake).square().mean()) / 2,
        lambda d, fake, real: (d(fake) - 1).square().mean() / 2,
    ),
    "wgan": (wasserstein, lambda d, fake, real: -d(fake).mean()),
    "wgan_gp": (gradient_penalty, lambda d, fake, real: -d(fake).mean()),
    "dragan": (dragan, lambda d, fake, real: ones(d(fake))),
    "gan_r1": (gan_r1, lambda d, fake, real: ones(d(fake))),
    "hinge": (hinge, lambda d, fake, real: -d(fake).mean()),
    "sngan": (hinge, lambda d, fake, real: -d(fake).mean()),
    "relativistic": (lambda d, real, fake: relativistic(d(real), d(fake)), beside_real(relativistic)),
    "r3gan": (r3gan, beside_real(lambda fake, real: softplus(real - fake).mean())),
    "cgan": (nonsaturating, lambda d, fake, real: ones(d(fake))),
    "projection": (hinge, lambda d, fake, real: -d(fake).mean()),
}
"""Those whose losses need D alone; the others have loops of their own."""


class Plain:
    """The alternating loop on copies of a model's networks; `step` trains a batch.

    Args:
        model: whose networks and optimizers are copied.
        variant: its name in `LOSSES`.
        root: the folder with MNIST/raw.
    """

    def __init__(self, model: Any, variant: str, root: str) -> None:
        self.losses = LOSSES.get(variant)
        self.generator, self.discriminator = (
            copy.deepcopy(network).to(memory_format=torch.channels_last)
            for network in (model.generator, model.discriminator)
        )
        self.head = copy.deepcopy(next((head.linear for head in model.heads.values()), nn.Identity()))
        self.d_optimizer, self.g_optimizer = (
            type(given)(parameters, **given.defaults)
            for given, parameters in zip(
                model.trainer.optimizers,
                ([*self.discriminator.parameters(), *self.head.parameters()], self.generator.parameters()),
                strict=True,
            )
        )
        self.n_critic, self.conditional, self.clip = model.n_critic, model.conditional, getattr(model, "clip", None)
        self.batch = 0
        mnist = datasets.MNIST(root)
        self.images, self.labels = mnist.data[:, None], one_hot(mnist.targets).float()
        self.order = self._order()

    def _order(self) -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(len(self.images)).split(BATCH)[: len(self.images) // BATCH]

    def step(self) -> None:
        rows = next(self.order)
        real = self.images.index_select(0, rows).float().div_(127.5).sub_(1)
        condition = self.labels.index_select(0, rows) if self.conditional else None
        self.discriminator.requires_grad_(True)
        self.head.requires_grad_(True)
        z = self.latent()
        with torch.no_grad():
            fake = self.generator(z, condition)
        self.d_optimizer.zero_grad()
        with parametrize.cached():
            loss = self.d_loss(real, fake, condition, z)
        loss.backward()
        self.d_optimizer.step()
        if self.clip is not None:
            with torch.no_grad():
                for weight in self.discriminator.parameters():
                    weight.clamp_(-self.clip, self.clip)
        self.batch += 1
        if self.batch % self.n_critic == 0:
            self.discriminator.requires_grad_(False)
            self.head.requires_grad_(False)
            z = self.latent()
            self.g_optimizer.zero_grad()
            self.g_loss(self.generator(z, condition), real, condition, z).backward()
            self.g_optimizer.step()

    def latent(self) -> Tensor:
        return torch.randn(BATCH, self.generator.latent_dim)

    def d_loss(self, real: Tensor, fake: Tensor, condition: Any, z: Tensor) -> Tensor:
        assert self.losses
        return self.losses[0](lambda samples: self.discriminator(samples, condition), real, fake)

    def g_loss(self, fake: Tensor, real: Tensor, condition: Any, z: Tensor) -> Tensor:
        assert self.losses
        return self.losses[1](lambda samples: self.discriminator(samples, condition), fake, real)

    def logits_and_head(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the output of the auxiliary head."""
        features = self.discriminator.body(samples)
        return self.discriminator.head(features, None), self.head(features)


class PlainACGAN(Plain):
    def d_loss(self, real: Tensor, fake: Tensor, condition: Any, z: Tensor) -> Tensor:
        (real_logits, real_classes), (fake_logits, fake_classes) = (
            self.logits_and_head(real),
            self.logits_and_head(fake),
        )
        classes = cross_entropy(real_classes, condition) + cross_entropy(fake_classes, condition)
        return ones(real_logits) + zeros(fake_logits) + classes

    def g_loss(self, fake: Tensor, real: Tensor, condition: Any, z: Tensor) -> Tensor:
        logits, classes = self.logits_and_head(fake)
        return ones(logits) + cross_entropy(classes, condition)


class PlainInfoGAN(Plain):
    def latent(self) -> Tensor:
        categories, codes = one_hot(torch.randint(10, (BATCH,)), 10), 2 * torch.rand(BATCH, 2) - 1
        return torch.cat([torch.randn(BATCH, self.generator.latent_dim - 12), categories, codes], 1)

    def information(self, q: Tensor, z: Tensor) -> Tensor:
        mean, log_variance = q[:, 10:].chunk(2, 1)
        return cross_entropy(q[:, :10], z[:, -12:-2]) + 2 * gaussian_nll_loss(mean, z[:, -2:], log_variance.exp())

    def d_loss(self, real: Tensor, fake: Tensor, condition: Any, z: Tensor) -> Tensor:
        logits, q = self.logits_and_head(fake)
        return ones(self.discriminator(real)) + zeros(logits) + self.information(q, z)

    def g_loss(self, fake: Tensor, real: Tensor, condition: Any, z: Tensor) -> Tensor:
        logits, q = self.logits_and_head(fake)
        return ones(logits) + self.information(q, z)


class PlainMatchingAware(Plain):
    def d_loss(self, real: Tensor, fake: Tensor, condition: Any, z: Tensor) -> Tensor:
        wrong = self.labels[torch.randint(len(self.labels), (BATCH,))]
        mismatched = (wrong != condition).any(1)
        mismatch = (softplus(self.discriminator(real, wrong)) * mismatched).mean()
        return ones(self.discriminator(real, condition)) + (zeros(self.discriminator(fake, condition)) + mismatch) / 2

    def g_loss(self, fake: Tensor, real: Tensor, condition: Any, z: Tensor) -> Tensor:
        return ones(self.discriminator(fake, condition))


class PlainBEGAN(Plain):
    k = 0.0

    def d_loss(self, real: Tensor, fake: Tensor, condition: Any, z: Tensor) -> Tensor:
        of_real, of_fake = -self.discriminator(real).mean(), -self.discriminator(fake).mean()
        loss = of_real - self.k * of_fake
        self.k = min(max(self.k + 1e-3 * (0.5 * of_real.item() - of_fake.item()), 0.0), 1.0)
        return loss

    def g_loss(self, fake: Tensor, real: Tensor, condition: Any, z: Tensor) -> Tensor:
        return -self.discriminator(fake).mean()


class PlainSimultaneous(Plain):
    def step(self) -> None:
        real = self.images.index_select(0, next(self.order)).float().div_(127.5).sub_(1)
        fake = self.generator(self.latent())
        logits = self.discriminator(fake)
        d_loss, g_loss = ones(self.discriminator(real)) + zeros(logits), ones(logits)
        self.d_optimizer.zero_grad()
        self.g_optimizer.zero_grad()
        d_loss.backward(inputs=list(self.discriminator.parameters()), retain_graph=True)
        g_loss.backward(inputs=list(self.generator.parameters()))
        self.d_optimizer.step()
        self.g_optimizer.step()


LOOPS: dict[str, type[Plain]] = {
    **dict.fromkeys(LOSSES, Plain),
    "acgan": PlainACGAN,
    "infogan": PlainInfoGAN,
    "matching_aware": PlainMatchingAware,
    "began": PlainBEGAN,
    "simultaneous": PlainSimultaneous,
}


class Beside(Turns):
    """A variant beside its plain loop.

    Args:
        variant: its name.
        root: the folder with MNIST/raw.
        block: batches in a turn.
    """

    def __init__(self, variant: str, root: str, block: int) -> None:
        super().__init__(block)
        self.variant = variant
        self.root = root

    def build_loops(self, trainer: Trainer, model: Any) -> dict[str, Loop]:
        return {"plain": LOOPS[self.variant](model, self.variant, self.root).step}

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        print(f"{self.variant}: " + "; ".join(self.report(BATCH)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="the folder with MNIST/raw")
    parser.add_argument("--variants", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--block", type=int, default=20, help="batches in a turn")
    parser.add_argument("--turns", type=int, default=20)
    options = parser.parse_args()
    root = Path(options.root).absolute()
    for variant in options.variants:
        networks = () if variant == "began" else ("network=dcgan",)
        off = ("callbacks.ema=null", "callbacks.samples=null", "callbacks.video=null", "callbacks.progress=null")
        same = ("model.generator_batch_size=null", "data.generator_real_batch_size=null")  # the loops have one batch
        run = ("trainer=cpu", "data=mnist", f"data.root={root}", f"model={variant}", *networks, *off, *same)
        train_in_turns(f"variant_steps.Beside{{variant:{variant},root:'{root}'}}", options.block, options.turns, *run)


if __name__ == "__main__":
    main()
