"""Our step on the DiracGAN, whose eigenvalues are known in closed form: Mescheder et al. 2018, arXiv:1801.04406.

f'(0) = 1/2 and f''(0) = -1/4 are the derivatives of the paper's f(t) = -log(1 + exp(-t)); h is the learning rate.
"""

import numpy as np
import pytest

from benchmarks.dirac_dynamics import jacobian, trajectory
from tests.models.composed import composed

pytestmark = pytest.mark.filterwarnings("ignore:.*dataloader_iter")
H = 0.2
SIMULTANEOUS, ALTERNATING, FIVE_TO_ONE = ("simultaneous", 1), ("alternating", 1), ("alternating", 5)
LOSSES = {"minimax": "Minimax", "non_saturating": "NonSaturating", "wasserstein": "Wasserstein"}


def config(loss, phases, penalties=None, lr=H, noise_std=0.0, batch_size=1, **more):
    """The configuration of `experiment=dirac` with these parts, without asking Hydra for each."""
    whole = composed("experiment=dirac", "trainer=cpu")
    data, model = (whole[section] for section in ("data", "model"))
    parts = {
        "generator": model["generator"] | {"noise_std": noise_std},
        "loss": {"_target_": f"gan_lightning.losses.{LOSSES[loss]}"},
        "phases": {"_target_": f"gan_lightning.models.{phases[0]}", "_partial_": True},
        "n_critic": phases[1],
        "penalties": {
            name: {"_target_": f"gan_lightning.losses.{name}", "_partial_": True, "weight": weight}
            for name, weight in (penalties or {}).items()
        },
        **{name: model[name] | {"lr": lr} for name in model if name.endswith("optimizer")},
    }
    return whole | {"data": data | {"noise_std": noise_std, "batch_size": batch_size}, "model": model | parts | more}


def eigenvalues(*method, **parts):
    return np.sort_complex(np.linalg.eigvals(jacobian(config(*method, **parts))))


def pair(center, square):
    """center +- sqrt(square), in the order of `eigenvalues`."""
    root = np.sqrt(complex(square))
    return np.sort_complex(np.array([center - root, center + root]))


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_simultaneous_descent_is_unstable(loss):
    """Lemma 2.4: 1 +- h f'(0) i."""
    found = eigenvalues(loss, SIMULTANEOUS)
    np.testing.assert_allclose(found, pair(1, -((H / 2) ** 2)), atol=1e-7)
    assert (abs(found) > 1).all()


@pytest.mark.parametrize(("phases", "lr"), [(ALTERNATING, 0.2), (FIVE_TO_ONE, 0.2), (FIVE_TO_ONE, 2.0)])
def test_alternating_descent_is_on_the_unit_circle_unless_its_steps_are_large(phases, lr):
    """Lemma 2.5: with a = sqrt(n_critic) h f'(0), 1 - a^2/2 +- sqrt((1 - a^2/2)^2 - 1)."""
    found = eigenvalues("minimax", phases, lr=lr)
    center = 1 - phases[1] * (lr / 2) ** 2 / 2
    np.testing.assert_allclose(found, pair(center, center**2 - 1), atol=1e-6)
    assert (abs(found).max() > 1.01) == (phases[1] * (lr / 2) ** 2 > 4)


@pytest.mark.parametrize(("penalty", "weight"), [("r1", 0.3), ("r2", 2.0)])
def test_a_zero_centered_penalty_converges(penalty, weight):
    """Section 3: the vector field has the eigenvalues -weight/2 +- sqrt(weight^2/4 - f'(0)^2)."""
    found = eigenvalues("non_saturating", SIMULTANEOUS, penalties={penalty: weight})
    expected = pair(1 - H * weight / 2, H**2 * (weight**2 / 4 - 1 / 4))
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert (abs(found) < 1).all()


def test_instance_noise_converges():
    """Section 3: the vector field has the eigenvalues f''(0) s^2 +- sqrt(f''(0)^2 s^4 - f'(0)^2)."""
    found = eigenvalues("minimax", SIMULTANEOUS, noise_std=0.7, batch_size=2**17)
    damping = 0.7**2 / 4
    np.testing.assert_allclose(found, pair(1 - H * damping, H**2 * (damping**2 - 1 / 4)), atol=1e-3)
    assert (abs(found) < 1).all()


def test_the_penalty_of_wgan_gp_is_repelled_by_the_equilibrium():
    assert abs(eigenvalues("wasserstein", ALTERNATING, penalties={"wgan_gp": 0.35})).max() > 2


AUTHORS = {
    ("minimax", None): ((-1.3428271325183663, 0.7882214505353926), (-0.927843951027312, -1.305806107982189)),
    ("non_saturating", "r1"): (
        (-0.5383534027675265, 0.08293031684734539),
        (-0.03508354034451636, -0.026731282344330587),
    ),
    ("wasserstein", "wgan_gp"): (
        (-0.11511136113694231, -1.623504037569575),
        (0.7121469060319414, -0.09691763580417424),
    ),
    ("wasserstein", "clip"): ((-0.3022396833792, -1.0), (-0.21036027166720006, 0.9870496604159997)),
}
"""(theta, psi) after 20 iterations: simultaneous, and 5 updates of D to one of G.

Recorded with `notebooks/diracgan` of GAN_stability (c1f64c9): h 0.2, from (1, 1), penalties 0.3 and 0.7, clipping at 1.
It updates G first: the second was started from theta = 1 and psi after five updates, and its psi is one iteration old.
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", AUTHORS)
def test_trajectories_are_the_authors(method):
    loss, part = method
    weights = {"r1": 0.3, "wgan_gp": 0.35}
    parts = {"penalties": {part: weights[part]}} if part in weights else {}
    if part == "clip":
        parts = {"_target_": "gan_lightning.models.WGAN", "clip": 1.0}
    for phases, expected in zip((SIMULTANEOUS, FIVE_TO_ONE), AUTHORS[method], strict=True):
        end = trajectory(config(loss, phases, **parts), 20, np.ones(2))[-1]
        # The root in our gradient norm has 1e-12 below it.
        np.testing.assert_allclose(end, expected, atol=1e-7 if part == "wgan_gp" else 1e-12)
