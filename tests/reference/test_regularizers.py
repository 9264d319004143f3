"""Regularizers beside the authors' code."""

import pytest

from gan_lightning.losses import LeCam, StepOutput
from tests.reference.recordings import Check, Difference, Recording, check, difference, gradient_difference

KIND = "regularizers"


def lecam(recording: Recording) -> Difference:
    """Logits on the side of the moving averages where theirs does not leave a sample out."""
    part = LeCam(weight=0.5, decay=0.75).double()
    part.anchors.copy_(recording["anchors"])
    part.batches.fill_(1000)
    logits = {kind: recording[kind].requires_grad_() for kind in ("real", "fake")}
    value = part(*logits.values())
    gradients = gradient_difference(value, logits, {kind: recording[f"{kind}_gradient"] for kind in logits})
    values = difference([value], [recording["value"]])
    part.on_step_end(StepOutput(terms={}, logits=logits))
    return Difference(max(values, difference([part.anchors], [recording["anchors_after"]])), gradients)


CHECKS: dict[str, Check] = {"lecam": lecam}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
