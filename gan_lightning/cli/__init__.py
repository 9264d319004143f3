"""The command lines. Hydra lives here, in `config/` and in `sweeps/`, and nowhere else."""
