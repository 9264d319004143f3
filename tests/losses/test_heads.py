import torch
from torch.nn.functional import cross_entropy, gaussian_nll_loss

from gan_lightning.losses import CodeHead, DiscriminatorOutput


def test_the_likelihood_of_continuous_codes_is_torchs():
    """Also where the variance is below its smallest value."""
    torch.manual_seed(0)
    head = CodeHead(4, categories=0, continuous=3, weight=0.7)
    features, z = torch.randn(6, 4), torch.rand(6, 5)
    features[0] *= -90
    (loss,) = head.generator(DiscriminatorOutput(torch.zeros(6), features, None, z)).values()
    mean, log_variance = head.linear(features).chunk(2, 1)
    assert log_variance.exp().min() < 1e-6
    expected = 0.7 * 3 * gaussian_nll_loss(mean, z[:, 2:], log_variance.exp())
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    gradients = [torch.autograd.grad(value, list(head.parameters())) for value in (loss, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


def test_codes_of_a_fixed_deviation_cost_half_of_the_squared_error():
    head = CodeHead(4, categories=2, continuous=3, fix_std=True)
    features, z = torch.randn(6, 4), torch.cat([torch.eye(2)[[0, 1, 1, 0, 0, 1]], torch.rand(6, 3)], 1)
    (loss,) = head.generator(DiscriminatorOutput(torch.zeros(6), features, None, z)).values()
    q = head.linear(features)
    assert q.shape == (6, 2 + 3)
    expected = cross_entropy(q[:, :2], z[:, :2]) + 0.5 * (q[:, 2:] - z[:, 2:]).square().sum(1).mean()
    torch.testing.assert_close(loss, expected)
