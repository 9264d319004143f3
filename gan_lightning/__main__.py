"""`python -m gan_lightning` trains, as `gan-train` does."""

from gan_lightning.cli.train import main

if __name__ == "__main__":
    main()
