"""What happens around training: pictures, averages, checkpoints, progress."""

from gan_lightning.callbacks.checkpoints import Checkpoints
from gan_lightning.callbacks.density import DensityPlot
from gan_lightning.callbacks.ema import GeneratorEMA
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.film import Film
from gan_lightning.callbacks.graph import NetworkGraph
from gan_lightning.callbacks.progress import Progress
from gan_lightning.callbacks.pruning import Pruning
from gan_lightning.callbacks.record import Record
from gan_lightning.callbacks.samples import SampleGrid
from gan_lightning.callbacks.stop import GracefulStop
from gan_lightning.callbacks.surface import SurfacePlot

__all__ = [
    "Checkpoints",
    "DensityPlot",
    "Evaluation",
    "Film",
    "GeneratorEMA",
    "GracefulStop",
    "NetworkGraph",
    "Progress",
    "Pruning",
    "Record",
    "SampleGrid",
    "SurfacePlot",
]
