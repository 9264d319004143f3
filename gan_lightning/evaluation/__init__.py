"""Quality in metrics: extractors of features, and what is computed on them."""

from gan_lightning.evaluation.classifier import Classifier
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.random_features import Random

__all__ = ["Classifier", "Inception", "Random"]
