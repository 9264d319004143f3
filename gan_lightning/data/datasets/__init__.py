"""Data sets of images, read from files."""
