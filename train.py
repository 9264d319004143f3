"""Train any GAN on any data: `python train.py --help`."""

import sys

import hydra
from omegaconf import DictConfig

from gan_lightning import config, sweeps

config.register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float | None:
    from gan_lightning import run  # torch takes seconds to import: --help and completion need none of it

    return run.main(cfg)


if __name__ == "__main__":
    with config.suggestions(sys.argv[1:]), sweeps.answered():
        main()
