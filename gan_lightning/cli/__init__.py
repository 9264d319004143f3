"""The command lines. Only this package, `config/` and `sweeps/` import Hydra."""
