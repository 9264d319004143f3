import torch

from gan_lightning.losses import InstanceNoise


def test_numbers_get_noise_of_the_deviation_that_a_schedule_sets():
    torch.manual_seed(0)
    noise, samples = InstanceNoise(0.3), torch.zeros(20_000, 2)
    torch.testing.assert_close(noise(samples).std(), torch.tensor(0.3), rtol=0.02, atol=0)
    assert noise.numbers == {"std": 0.3}
    noise.get_buffer("std").fill_(0.0)
    assert torch.equal(noise(samples), samples)
    assert noise.numbers == {"std": 0.3}
