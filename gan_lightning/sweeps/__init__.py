"""Sweeps: Hydra's callback, and the results of many runs."""
