"""One run: its experiment, its trainer, its folder, its checkpoints."""
