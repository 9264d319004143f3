"""Pictures and videos of samples."""
