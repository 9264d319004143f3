"""GAN experiments on PyTorch Lightning 2. Kept import-free, so that the command line answers at once."""

__version__ = "0.1.0"
