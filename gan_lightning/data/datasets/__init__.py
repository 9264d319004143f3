"""Data sets of images that are read from files."""
