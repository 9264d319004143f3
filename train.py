"""Train any GAN on any data: `python train.py --help`."""

import sys

import hydra
from omegaconf import DictConfig

from gan_lightning.cli import suggestions
from gan_lightning.config import resolvers
from gan_lightning.sweeps import callback as sweeps

resolvers.register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float | None:
    from gan_lightning.training import experiment  # torch takes seconds to import: --help and completion need none

    return experiment.main(cfg)


if __name__ == "__main__":
    with suggestions.suggestions(sys.argv[1:]), sweeps.report_results():
        main()
