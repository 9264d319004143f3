"""Several processes that train one GAN."""
