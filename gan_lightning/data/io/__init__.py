"""Readers of pictures, folders and tags."""
