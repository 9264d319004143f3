"""How the feature maps of the convolutional families follow from the size of the images."""

from __future__ import annotations

from collections.abc import Sequence


def count_downsamples(image_shape: Sequence[int]) -> int:
    """How often an image is halved: while its height and width are even and above 7 (28 -> 7, 32 -> 4, 48 -> 6).

    Raises:
        ValueError: It cannot be halved even once.
    """
    height, width = height_and_width(image_shape)
    count = 0
    while height % 2 == width % 2 == 0 and min(height, width) > 7:
        height, width, count = height // 2, width // 2, count + 1
    if count == 0:
        raise ValueError(
            f"data.image_shape={list(image_shape)}: {height}x{width} cannot be halved; expected an even height and "
            "width of at least 8, such as 28, 32, 48 or 64. Change data.image_shape"
        )
    return count


def downsampled_size(image_shape: Sequence[int], factor: int, key: str, value: object) -> tuple[int, int]:
    """The height and width of an image divided by `factor`, which follows from the `value` of a `key`.

    Raises:
        ValueError: They are no multiples of the factor; the message names the key.
    """
    height, width = height_and_width(image_shape)
    if height % factor or width % factor:
        raise ValueError(
            f"{key}={value} cannot make an image of {height}x{width}: expected multiples of {factor}. "
            f"Change {key} or data.image_shape"
        )
    return height // factor, width // factor


def doubling_channels(base_channels: int, count: int) -> list[int]:
    """The channels of `count` maps, the largest map first: they double as the size halves, up to 8 * base_channels."""
    return [base_channels * min(2**halvings, 8) for halvings in range(count)]


def height_and_width(image_shape: Sequence[int]) -> tuple[int, int]:
    """The height and width of an image.

    Raises:
        ValueError: The samples are no images.
    """
    if len(image_shape) != 3:
        raise ValueError(
            f"data.image_shape={list(image_shape)}: expected [channels, height, width]. Choose another data="
        )
    return image_shape[1], image_shape[2]


def require_power_of_two(image_shape: Sequence[int], least: int) -> int:
    """Returns the height of an image that is a square of a power of two.

    Raises:
        ValueError: It is none, or its height is less than `least`.
    """
    height, width = height_and_width(image_shape)
    if height != width or height < least or height & (height - 1):
        raise ValueError(
            f"data.image_shape={list(image_shape)}: {height}x{width} is no square of a power of two from {least} on, "
            f"such as 32x32 or 64x64. Change data.image_shape, or choose another network="
        )
    return height
