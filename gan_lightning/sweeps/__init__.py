"""Many runs: Hydra's side of a sweep, and the answer at its end."""
