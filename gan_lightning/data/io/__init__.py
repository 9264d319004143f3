"""Reading pictures, folders and tags."""
