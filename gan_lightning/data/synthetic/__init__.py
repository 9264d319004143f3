"""Synthetic data: samples of known distributions, and drawn faces."""
