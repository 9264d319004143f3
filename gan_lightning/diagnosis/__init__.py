"""The diagnosis of a run: signs that are measured while it trains, and the states that they point to."""

from gan_lightning.diagnosis.findings import Diagnosis, Finding
from gan_lightning.diagnosis.glance import Glance
from gan_lightning.diagnosis.signs import Signs, measure

__all__ = ["Diagnosis", "Finding", "Glance", "Signs", "measure"]
