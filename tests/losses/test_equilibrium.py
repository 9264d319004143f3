"""BEGAN's k, by hand."""

import pytest
import torch

from gan_lightning.losses import BoundaryEquilibrium, StepOutput


def output(real: float, fake: float | None) -> StepOutput:
    """Of a batch with these reconstruction errors; None: G has not moved."""
    terms = {"discriminator": {"real": torch.tensor(real), "fake": torch.tensor(-7.0)}}
    if fake is not None:
        terms["generator"] = {"fake": torch.tensor(fake)}
    return StepOutput(terms=terms, logits={})


def test_k_follows_the_balance_of_the_two_errors():
    loss = BoundaryEquilibrium(gamma=0.5, lambda_k=0.1)
    history = []
    for real, fake in ((4.0, 1.0), (4.0, 3.0), (4.0, 1.0), (30.0, 0.0), (0.0, 2.0)):
        loss.on_step_end(output(real, fake))
        history.append(loss.k.item())
    assert history == pytest.approx([0.1, 0.0, 0.1, 1.0, 0.8])  # 1.6 is cut to 1


def test_k_rests_where_the_generator_does():
    loss = BoundaryEquilibrium(lambda_k=0.1)
    loss.on_step_end(output(4.0, None))
    assert loss.k.item() == 0
    assert loss.metrics(output(4.0, None)) == {"began/k": loss.k}


def test_convergence_is_the_papers():
    found = BoundaryEquilibrium(gamma=0.5).metrics(output(4.0, 3.0))
    assert found["began/convergence"].item() == pytest.approx(4 + abs(0.5 * 4 - 3))


def test_k_goes_on_from_a_state():
    one, other = BoundaryEquilibrium(lambda_k=0.1), BoundaryEquilibrium(lambda_k=0.1)
    one.on_step_end(output(4.0, 1.0))
    other.load_state_dict(one.state_dict())
    assert other.k.item() == pytest.approx(0.1)
