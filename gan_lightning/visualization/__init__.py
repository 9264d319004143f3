"""Pictures and videos for people."""
