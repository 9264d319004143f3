"""Evaluation: feature extractors, the metrics on their features, and evaluation reports."""

from gan_lightning.evaluation.classifier import Classifier
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.random_features import Random

__all__ = ["Classifier", "Inception", "Random"]
