"""Every use of a private name of torch or Lightning: one function each, with its reason and its own test."""
