"""Evaluation: feature extractors, the metrics on their features, and evaluation reports."""

from gan_lightning.evaluation.classifier import Classifier
from gan_lightning.evaluation.dinov2 import DINOv2
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.random_features import Random

__all__ = ["Classifier", "DINOv2", "Inception", "Random"]
