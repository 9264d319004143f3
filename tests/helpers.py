"""Callbacks and networks that the tests name in configurations."""

import json
import os
import signal
from pathlib import Path

import torch
from lightning import Callback, LightningDataModule
from lightning.pytorch.loggers import Logger
from torch import nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, Dataset, IterableDataset

from gan_lightning.cadence import StepCallback
from gan_lightning.losses import AdversarialLoss
from gan_lightning.networks import MLPGenerator


class KillAt(Callback):
    """Sends one process a signal after `step` batches: before the next, or at the end of the epoch.

    Without a number it raises an error instead, which ends a run but not the process of the tests.
    """

    def __init__(
        self,
        step: int,
        number: int | None = signal.SIGKILL,
        rank: int = 0,
        at_epoch_end: bool = False,
        seed: int | None = None,
        once: str | None = None,
    ) -> None:
        self.step, self.number, self.rank, self.at_epoch_end = step, number, rank, at_epoch_end
        self.seed = seed
        self.once = once and Path(once)

    def on_train_batch_start(self, trainer, *_) -> None:
        if not self.at_epoch_end:
            self._kill(trainer)

    def on_train_epoch_end(self, trainer, *_) -> None:
        if self.at_epoch_end:
            self._kill(trainer)

    def _kill(self, trainer) -> None:
        asked = self.seed in (None, trainer.lightning_module.seed)
        done = self.once is not None and self.once.exists()
        if asked and not done and trainer.global_step == self.step and trainer.global_rank == self.rank:
            if self.once is not None:
                self.once.touch()
            if self.number is None:
                raise FloatingPointError("cut off")
            os.kill(os.getpid(), self.number)


class KillInBlock(StepCallback):
    """Sends this process a signal at the end of a batch in the midst of a block."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def on_step_end(self, trainer, model, batch, output) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


class BlockLog(StepCallback):
    """Appends the number of Lightning's iteration and of the batch to a file, a line a batch."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_step_end(self, trainer, model, batch, output) -> None:
        with self.path.open("a") as file:
            file.write(f"{trainer.fit_loop.epoch_loop.batch_progress.total.ready} {trainer.global_step}\n")


class EveryBatch(Callback):
    """A user's callback that Lightning calls after every batch."""

    def on_train_batch_end(self, *_) -> None: ...


class KillAtTheEnd(Callback):
    """Kills one process when all batches are trained, before the final work of the callbacks after it."""

    def __init__(self, rank: int = 0, once: str | None = None) -> None:
        self.rank, self.once = rank, once and Path(once)

    def on_train_end(self, trainer, *_) -> None:
        if trainer.global_rank == self.rank and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class CannotStart(Callback):
    """Fails before the first batch."""

    def on_fit_start(self, *_) -> None:
        raise RuntimeError("cannot start")


class EndsWhenBuilt(Callback):
    """Ends one process where it is built, before there is a process group; not if the file `once` exists."""

    def __init__(self, rank: int, code: int, once: str) -> None:
        if os.environ.get("LOCAL_RANK") == str(rank) and not Path(once).exists():
            Path(once).touch()
            os._exit(code)


class StopAtEpoch(Callback):
    """Stops training at the end of an epoch, as Lightning's EarlyStopping does."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_end(self, trainer, *_) -> None:
        trainer.should_stop = trainer.current_epoch == self.epoch


class LossLog(StepCallback):
    """Appends the exact loss terms of every batch to a file, a line a batch, one file a process."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_step_end(self, trainer, model, batch, output) -> None:
        terms = {
            f"{player}_{name}": value.item().hex()
            for player, terms in output["terms"].items()
            for name, value in terms.items()
        }
        with Path(f"{self.path}.{trainer.global_rank}").open("a") as file:
            file.write(json.dumps({"step": trainer.global_step} | terms) + "\n")


class DropoutDiscriminator(nn.Module):
    """A discriminator that draws from torch's global generator."""

    def __init__(
        self, image_shape: list[int], minibatch_std: None = None, minibatch_discrimination: None = None
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.Dropout(0.5), nn.Linear(16, 1))

    def forward(self, image: torch.Tensor, condition: None = None) -> torch.Tensor:
        return self.layers(image).squeeze(1)


class ExplodingDiscriminator(DropoutDiscriminator):
    """Turns to infinity at its n-th call."""

    def __init__(self, image_shape: list[int], call: int, **of_mlp: None) -> None:
        super().__init__(image_shape)
        self.calls, self.call = 0, call

    def forward(self, image: torch.Tensor, condition: None = None) -> torch.Tensor:
        self.calls += 1
        return super().forward(image) / (1.0 if self.calls < self.call else 0.0)


class Dump(Callback):
    """Saves every process's state at the end."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_train_end(self, trainer, pl_module) -> None:
        torch.save(pl_module.state_dict(), f"{self.path}.{trainer.global_rank}")


class SampleLog(StepCallback):
    """Lists a digest of every image that a process was given."""

    def __init__(self, path: str) -> None:
        self.path, self.seen = path, []

    def on_step_end(self, trainer, model, batch, output) -> None:
        self.seen += [image.numpy().tobytes().hex() for image in batch[0]]

    def on_train_end(self, trainer, pl_module) -> None:
        Path(f"{self.path}.{trainer.global_rank}").write_text(json.dumps(self.seen))


class Spoils(Callback):
    """Makes one value infinite after `step` batches: a weight of G, or a state of D's optimizer."""

    def __init__(self, step: int, state: str | None = None) -> None:
        self.step, self.state = step, state

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if trainer.global_step == self.step:
            state = next(iter(trainer.optimizers[0].state.values()))
            tensor = state[self.state] if self.state else next(pl_module.generator.parameters())
            tensor.data.flatten()[-1] = float("inf")


class StandingStill(Callback):
    """Prints the names of the parameters that training has not moved."""

    def on_train_start(self, trainer, pl_module) -> None:
        self.start = {name: p.detach().clone() for name, p in pl_module.named_parameters()}

    def on_train_end(self, trainer, pl_module) -> None:
        still = [name for name, p in pl_module.named_parameters() if torch.equal(p, self.start[name])]
        print("stood still:", *still)


class LogsNaN(Callback):
    """Logs a metric, odd, that is no number."""

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        pl_module.log("odd", float("nan"))


class Smoothed(AdversarialLoss):
    """A user's own loss: the labels of real samples are 1 - smoothing."""

    def __init__(self, smoothing: float = 0.1) -> None:
        super().__init__()
        self.smoothing = smoothing

    def discriminator(self, real_logits, fake_logits):
        return {"real": softplus(-real_logits) + self.smoothing * real_logits, "fake": softplus(fake_logits)}

    def generator(self, fake_logits, real_logits):
        return {"fake": softplus(-fake_logits)}


class Bare(nn.Module):
    """A generator that does not say how it was made."""

    latent_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 64)

    def forward(self, z: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        return self.layer(z).tanh().view(-1, 1, 8, 8)


class Branching(MLPGenerator):
    """A generator that looks at its latents."""

    def forward(self, z: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(z if z.sum() > 0 else -z, condition)


class Numbered(Dataset):
    """Image i is i / count everywhere, so that a sum tells which were seen; its label is i modulo 10."""

    def __init__(self, count: int, image_shape: list[int]) -> None:
        self.count, self.image_shape = count, image_shape

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full(self.image_shape, 2 * index / self.count - 1), index % 10


class Stream(IterableDataset):
    def __init__(self, data: Numbered) -> None:
        self.data = data

    def __iter__(self):
        return (self.data[index] for index in range(len(self.data)))


class PlainData(LightningDataModule):
    """A data module of a user who has never heard of ours; `batch_size` is that of one process."""

    def __init__(
        self, image_shape: list[int], condition_dim: int = 10, batch_size: int = 16, count: int = 128, kind: str = "map"
    ) -> None:
        super().__init__()
        self.data, self.batch_size, self.kind = Numbered(count, image_shape), batch_size, kind

    def train_dataloader(self) -> DataLoader:
        if self.kind == "stream":
            return DataLoader(Stream(self.data), batch_size=self.batch_size)
        return DataLoader(self.data, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(Numbered(100, self.data.image_shape), batch_size=self.batch_size)


class SpoilsGenerator(Callback):
    """Makes a weight of the generator NaN after `step` batches; in the place of the EMA."""

    def __init__(self, step: int, half_life: None = None, rampup: None = None) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                next(pl_module.generator.parameters()).fill_(torch.nan)


class OneFile(Logger):
    """A user's logger that takes pictures as that of Weights & Biases does, and keeps a line for each call."""

    name, version = "one", "file"

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)

    def _write(self, *call) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(call) + "\n")

    def log_metrics(self, metrics, step=None) -> None:
        self._write("metrics", step, metrics)

    def log_hyperparams(self, params) -> None:
        self._write("hyperparams", None, params)

    def log_image(self, key, images, step=None) -> None:
        self._write("image", step, key, [Path(image).name for image in images])

    def finalize(self, status) -> None:
        self._write("end", None, status)


class KillAfterRollbacks(Callback):
    """Ends a run that was rolled back so often, before the batch after `step`."""

    def __init__(self, rollbacks: int, step: int) -> None:
        self.rollbacks, self.step = rollbacks, step

    def on_train_batch_start(self, trainer, *_) -> None:
        doctor = next(
            callback for callback in trainer.callbacks if hasattr(callback, "rollbacks") and callback is not self
        )
        if len(doctor.rollbacks) == self.rollbacks and trainer.global_step == self.step:
            raise FloatingPointError("killed")
