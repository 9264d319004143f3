"""Training of one GAN in several processes."""
