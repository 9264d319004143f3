"""The names of the metrics of an evaluation; reading results needs no torch, which takes seconds to import."""

METRICS = {
    "fid": "min",
    "sfid": "min",
    "kid": "min",
    "precision": "max",
    "recall": "max",
    "density": "max",
    "coverage": "max",
    "inception_score": "max",
    "modes": "max",
    "class_coverage": "max",
    "class_kl": "min",
}
"""Every metric of an evaluation during training, and whether smaller (min) or larger (max) is better."""
CLASS_METRICS = ("inception_score", "modes", "class_coverage", "class_kl")
"""The metrics that need an extractor with class logits. `sfid` needs one with spatial features."""
REPORT_METRICS = {"intra_fid": "min", "ppl": "min"}
"""The metrics of `gan-evaluate` alone, by an option each."""
BETTER = METRICS | REPORT_METRICS
"""All of them."""
