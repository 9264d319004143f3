"""The callbacks of training: sample grids, the generator's EMA, checkpoints, progress, evaluation."""

from gan_lightning.callbacks.checkpoints import Checkpoints
from gan_lightning.callbacks.density import DensityPlot
from gan_lightning.callbacks.doctor import Doctor
from gan_lightning.callbacks.ema import GeneratorEMA
from gan_lightning.callbacks.graph import NetworkGraph
from gan_lightning.callbacks.plateau import StopAtPlateau
from gan_lightning.callbacks.progress import Progress
from gan_lightning.callbacks.pruning import Pruning
from gan_lightning.callbacks.record import Record
from gan_lightning.callbacks.report import Report
from gan_lightning.callbacks.samples import SampleGrid
from gan_lightning.callbacks.stop import GracefulStop
from gan_lightning.callbacks.surface import SurfacePlot
from gan_lightning.callbacks.video import Video
from gan_lightning.callbacks.writer import Writer
from gan_lightning.evaluation.callback import Evaluation

__all__ = [
    "Checkpoints",
    "DensityPlot",
    "Doctor",
    "Evaluation",
    "GeneratorEMA",
    "GracefulStop",
    "NetworkGraph",
    "Progress",
    "Pruning",
    "Record",
    "Report",
    "SampleGrid",
    "StopAtPlateau",
    "SurfacePlot",
    "Video",
    "Writer",
]
