"""The GAN: the objectives of both players, composed of exchangeable parts. Variants are subclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_lightning.errors import UserError
from gan_lightning.losses import (
    AdaptiveAugment,
    AdversarialLoss,
    Augment,
    BatchOutput,
    DiscriminatorOutput,
    GeneratorRegularizer,
    Head,
    InstanceNoise,
    NonSaturating,
    Part,
    Player,
    StepOutput,
    Terms,
)
from gan_lightning.losses.terms import join, means, to_float32
from gan_lightning.models import added_terms
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.models.generator_batch import require_fakes_fit, require_reals_fit, require_shareable_fakes
from gan_lightning.models.packing import pack, require_packable, unpack
from gan_lightning.models.phases import Phase, require_regular
from gan_lightning.models.rebuild import FORMAT, read, rebuild
from gan_lightning.models.step import GANStep
from gan_lightning.specs import Described, spec_of


class GAN(Described, GANStep):
    """The GAN of Goodfellow et al. 2014 (arXiv:1406.2661), with exchangeable parts.

        D minimizes  loss.discriminator(D(x), D(G(z)))  + regularizers + penalties + heads
        G minimizes  loss.generator(D(G(z)))            + regularizers of its own + heads

    A variant chooses its loss. It overrides `sample_prior` for other latents, `fake_batch` for other inputs of G,
    `discriminator_terms` for further terms of D's objective, and `after_step` for limits on the weights. Further
    arguments are those of `GANStep`.

    Args:
        generator: A network that maps latents (batch, latent_dim) and a condition to samples in [-1, 1].
        discriminator: A network that maps samples and a condition to logits (batch,).
        loss: The adversarial loss; None: that of the variant.
        penalties: Functions as in `gan_lightning.losses.penalties`, by name, which are added to D's loss.
        penalty_every: The number of batches between two uses of the penalties, and a factor of their weights: lazy
            regularization, Karras et al. 2020 (arXiv:1912.04958), appendix B.
        regularizers: Parts as in `gan_lightning.losses.regularizers`, by name, which are added to D's loss.
        generator_regularizers: Parts as in `gan_lightning.losses.generator_regularizers`, by name, which are added to
            G's loss.
        heads: By name, functions that build a head for a feature dimension, as in `gan_lightning.losses.heads`.
        augment: The augmentation of real and of generated samples before D, in both players' losses; None: no
            augmentation. A penalty takes the gradient of D(augment(x)) with respect to x, as the authors of
            DiffAugment and of ADA do for R1.
        pack: The number of samples that D sees at a time, along the channels, and gives one logit: Lin et al. 2018
            (arXiv:1712.04086), PacGAN. The loss, penalties and regularizers take a pack for a sample. D is built for
            `pack` times the channels, and as many times the condition.
        reuse_fake: Whether a batch in which G is updated has one set of fakes: D is updated on them, and then G, which
            saves a call of G. Both players see the same latents then; they see different ones otherwise.
        generator_batch_size: The number of fakes in G's phase, over all processes together; None: as many as D's phase
            has. The conditions of this number are sampled from the data's, and not those of a batch.
        channels_last: Whether the kernels of convolutions, and with them the feature maps, have their channels last in
            memory. Only the speed and the rounding differ; networks without convolutions stay as they are.

    Raises:
        ValueError: The parts do not fit together.
    """

    default_loss: ClassVar[type[AdversarialLoss]] = NonSaturating
    uses_features: ClassVar[bool] = False
    """Whether the objectives use D's features. Heads do in any case."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        loss: AdversarialLoss | None = None,
        penalties: Mapping[str, Callable[..., Tensor]] | None = None,
        penalty_every: int = 1,
        regularizers: Mapping[str, Part] | None = None,
        generator_regularizers: Mapping[str, GeneratorRegularizer] | None = None,
        heads: Mapping[str, Callable[[int], Head]] | None = None,
        augment: Augment | AdaptiveAugment | InstanceNoise | None = None,
        pack: int = 1,
        reuse_fake: bool = False,
        generator_batch_size: int | None = None,
        channels_last: bool = True,
        **step: Any,
    ) -> None:
        super().__init__(generator, discriminator, **step)
        self.loss = loss or self.default_loss()
        if self.loss.needs_reconstruction and not hasattr(discriminator, "reconstruct"):
            raise ValueError(
                f"network.discriminator: {type(discriminator).__name__} reconstructs nothing, and "
                f"{type(self.loss).__name__} needs an autoencoder: choose network=began or another model/loss="
            )
        self.penalties = dict(penalties or {})
        self.penalty_every = penalty_every
        self.regularizers = nn.ModuleDict(regularizers or {})
        self.generator_regularizers = nn.ModuleDict(generator_regularizers or {})
        require_regular(self.phases, self.n_critic, generator_regularizers or {})
        for part in (generator_regularizers or {}).values():
            part.require_fitting(generator)
        if self.uses_features:
            self._feature_dim(type(self).__name__)
        self.heads = nn.ModuleDict({name: make(self._feature_dim()) for name, make in (heads or {}).items()})
        self.augment = augment
        if isinstance(augment, AdaptiveAugment) and not self.loss.logits_have_a_sign:
            raise ValueError(
                f"model.augment: AdaptiveAugment goes by the sign of D's logits, which says nothing under "
                f"model.loss={type(self.loss).__name__}; choose augment=diffaugment"
            )
        self.pack = pack
        require_packable(self)
        self.reuse_fake = reuse_fake
        require_shareable_fakes(self)
        self.generator_batch_size = generator_batch_size
        require_fakes_fit(self)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    @property
    def generator_sees_real(self) -> bool:
        """Whether G's objective uses D's output for real samples."""
        return self.loss.relativistic

    @parametrize.cached()  # one estimate of the singular values for all calls of D, if it is spectrally normalized
    def losses(self, players: Phase, real: Batch, draws: Draws, fake: Batch | None = None) -> StepOutput:
        if fake is None:
            with torch.set_grad_enabled("generator" in players):
                fake = self.fake_batch(players, real, draws)
        elif "generator" not in players:
            fake = replace(fake, samples=fake.samples.detach())
        single, real, fake = fake, real.packed(self.pack), fake.packed(self.pack)
        if "discriminator" in players and self._has_penalties(draws):
            real, fake = real.with_gradient(), fake.with_gradient()
        with torch.set_grad_enabled("discriminator" in players):
            d_real = self.discriminate(real) if "discriminator" in players or self.generator_sees_real else None
        d_fake = self.discriminate(fake)
        terms: dict[Player, Terms] = {}
        if "discriminator" in players:
            assert d_real is not None
            terms["discriminator"] = self.discriminator_terms(real, fake, d_real, d_fake, draws)
        if "generator" in players:
            terms["generator"] = self.generator_terms(d_fake, d_real)
            if self.generator_regularizers:
                regularization = added_terms.of_generator_regularizers(self, single, draws)
                terms["generator"] = join(terms["generator"], regularization)
        logits = {"real": d_real.logits, "fake": d_fake.logits} if d_real and "discriminator" in players else {}
        return StepOutput(terms={player: means(found) for player, found in terms.items()}, logits=logits)

    def shared_fake(self, phases: Sequence[Phase], real: Batch, draws: Draws) -> Batch | None:
        if not self.reuse_fake or ("generator",) not in phases:
            return None
        for parameter in self._parameters_of["generator"]:
            parameter.requires_grad_(True)
        return self.fake_batch(("generator",), real, draws)

    def fake_batch(self, players: Phase, real: Batch, draws: Draws) -> Batch:
        """Generates as many samples as `real` has, for the same conditions; in G's phase `generator_batch_size`."""
        count, condition = len(real.samples), real.condition
        if self.generator_batch_size and players == ("generator",):
            count = self.generator_batch_size // draws.num_shards
            condition = None if condition is None else self.sample_conditions(count, draws, "generator")
        z = self.sample_z(count, draws, players[0] if len(players) == 1 else "both")
        return Batch(self.generator(z, condition), condition, z)

    def discriminator_terms(
        self, real: Batch, fake: Batch, d_real: DiscriminatorOutput, d_fake: DiscriminatorOutput, draws: Draws
    ) -> Terms:
        """Returns the terms of D's objective."""
        added = [
            {
                name: part(d_real.logits, d_fake.logits, **draws.arguments(f"regularizers.{name}"))
                for name, part in self.regularizers.items()
            }
        ]
        if self._has_penalties(draws):
            added.append(added_terms.of_penalties(self, real, fake, d_real, d_fake, draws))
        added += [head.discriminator(d_real, d_fake) for head in self.heads.values()]  # type: ignore[operator]
        return join(self.loss.discriminator(d_real.logits, d_fake.logits), *added)

    def generator_terms(self, d_fake: DiscriminatorOutput, d_real: DiscriminatorOutput | None) -> Terms:
        """Returns the terms of G's objective; `d_real` is None unless it is seen or D is updated, too."""
        terms = self.loss.generator(d_fake.logits, d_real.logits if d_real else None)
        return join(terms, *(head.generator(d_fake) for head in self.heads.values()))  # type: ignore[operator]

    def discriminate(self, batch: Batch) -> DiscriminatorOutput:
        """Returns D's output in training: on augmented samples, with features if there are heads."""
        samples = batch.samples
        if self.augment is not None:
            samples = pack(self.augment(unpack(samples, self.pack)), self.pack)
        return self._output(samples, batch)

    def _output(self, samples: Tensor, batch: Batch) -> DiscriminatorOutput:
        if not (self.heads or self.uses_features):
            logits, features = self.discriminator(samples, batch.condition), None
        else:
            features = self.discriminator.features(samples, batch.condition)  # type: ignore[operator]
            logits = self.head_logits(features, batch.condition)
        return DiscriminatorOutput(to_float32(logits), features, batch.condition, batch.z)

    def logit_blocks(self, samples: Tensor, condition: Tensor | None = None) -> Iterator[Float[Tensor, " block"]]:
        """Yields D's logits of samples in blocks, in eval mode and without augmentation; those of packs if `pack`."""
        size = max(self.BLOCK // self.pack, 1) * self.pack
        samples = samples[: len(samples) // self.pack * self.pack]
        place: Any = {"device": self.device, "dtype": self.dtype}
        was_training = self.discriminator.training
        self.discriminator.eval()
        try:
            for first in range(0, len(samples), size):
                block = slice(first, first + size)
                conditions = None if condition is None else condition[block].to(**place)
                batch = Batch(samples[block].to(**place), conditions).packed(self.pack)
                with torch.no_grad():
                    logits = self._output(batch.samples, batch).logits
                yield logits
        finally:
            self.discriminator.train(was_training)

    def head_logits(self, features: Tensor, condition: Tensor | None) -> Tensor:
        """Returns D's logits of its features."""
        return self.discriminator.head(features, condition)  # type: ignore[operator]

    def _has_penalties(self, draws: Draws) -> bool:
        return bool(self.penalties) and draws.is_due(self.penalty_every)

    def schedulable(self) -> dict[str, float]:
        return super().schedulable() | added_terms.numbers(self) | self.numbers_of_parts()

    def numbers_of_parts(self) -> dict[str, float]:
        """Returns those that are buffers of parts, which a schedule moves, as the parts were built with them."""
        parts = {"loss": self.loss} | ({"augment": self.augment} if self.augment else {})
        return {f"{key}.{name}": value for key, part in parts.items() for name, value in part.numbers.items()}

    def on_step_begin(self, scheduled: Mapping[str, float]) -> None:
        if scheduled:
            for name in self.numbers_of_parts().keys() & scheduled.keys():
                self.get_buffer(name).fill_(scheduled[name])

    def networks(self) -> dict[Player, nn.Module]:
        if not self.heads:
            return super().networks()
        return {"discriminator": nn.ModuleList([self.discriminator, self.heads]), "generator": self.generator}

    def _feature_dim(self, needed_by: str = "a second head") -> int:
        if not hasattr(self.discriminator, "features"):
            raise ValueError(
                f"network.discriminator: {type(self.discriminator).__name__} has no features for {needed_by}; choose "
                "another network="
            )
        return self.discriminator.feature_dim  # type: ignore[return-value]

    def _parts(self) -> list[Part]:
        regularizers = (*self.regularizers.values(), *self.generator_regularizers.values())
        parts: list[Any] = [self.loss, *regularizers, *self.heads.values()]
        return parts + ([self.augment] if self.augment else [])

    def setup(self, stage: str) -> None:
        super().setup(stage)
        require_reals_fit(self)

    def on_step_end(self, output: StepOutput) -> None:
        for part in self._parts():
            part.on_step_end(output)

    def metrics(self, output: BatchOutput) -> dict[str, float | Tensor]:
        found = super().metrics(output)
        for part in self._parts():
            found |= part.metrics(output)
        return found

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["format"] = FORMAT
        checkpoint["model"] = self.spec
        checkpoint["data"] = spec_of(self.trainer.datamodule)  # type: ignore[attr-defined]

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: str | Path, map_location: Any = "cpu"
    ) -> GAN:
        """Builds the model that wrote a checkpoint, with its weights, from the file alone.

        Raises:
            UserError: The file does not say how to build a model of this class.
        """
        model = rebuild(read(Path(checkpoint_path)), checkpoint_path)
        if not isinstance(model, cls):
            raise UserError(f"{checkpoint_path} holds a {type(model).__name__}, not a {cls.__name__}")
        return model.to(map_location)
