"""The video of a run's sample grids."""

from __future__ import annotations

import warnings
from pathlib import Path

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from gan_lightning.callbacks.writer import Writer
from gan_lightning.errors import UserError
from gan_lightning.visualization import video


class Video(Callback):
    """At the end of training, writes the pictures of `samples/` as `samples/video.gif` and `samples/video.mp4`.

    Args:
        folder: The run folder.
        fps: The number of pictures per second.
        thin: Whether to leave out more and more pictures towards the end.
    """

    def __init__(self, folder: str, fps: int = 10, thin: bool = False) -> None:
        self.samples = Path(folder, "samples")
        self.fps = fps
        self.thin = thin

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        Writer.of(trainer).wait()  # for the last picture
        if any(self.samples.glob("step_*.png")):
            pictures = video.pictures_of(self.samples)
            try:
                video.write(video.thinned(pictures) if self.thin else pictures, self.samples / "video", self.fps)
            except UserError as error:  # the run itself has ended well
                warnings.warn(f"there is no video: {error}", stacklevel=1)
