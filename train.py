"""Train any GAN on any data: `python train.py --help`."""

from gan_lightning.cli.train import main

if __name__ == "__main__":
    main()
