"""Synthetic data: samples of known distributions, and faces that the project paints."""
