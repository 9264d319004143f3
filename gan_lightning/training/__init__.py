"""The training of one run: the experiment, the Trainer, the run folder, checkpoints and resuming."""
