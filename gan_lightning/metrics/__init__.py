"""Quality in figures: extractors of features, and what is computed on them."""

from gan_lightning.metrics.classifier import Classifier
from gan_lightning.metrics.inception import Inception
from gan_lightning.metrics.random_features import Random

__all__ = ["Classifier", "Inception", "Random"]
