"""CelebA: faces with attributes, through torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torchvision import datasets

from gan_lightning.data.datasets.torchvision_images import TorchvisionImages
from gan_lightning.data.images import Images, Labels, Split
from gan_lightning.data.io.decoding import decoded
from gan_lightning.data.io.sources import FolderPictures


class CelebA(TorchvisionImages):
    """162,770 photographs of faces and 19,962 to test, with 40 attributes as tags: Liu et al. 2015 (arXiv:1411.7766).

    The aligned pictures, 178x218, are cropped to the proportions of `image_shape` (a square has their middle 178x178)
    and resized, once, into a memory-mapped file in the cache. Further arguments are those of
    `TorchvisionImages`.
    """

    source = datasets.CelebA
    folder = "celeba"
    files = (
        "celeba/ with img_align_celeba/ (unpacked), identity_CelebA.txt, list_attr_celeba.txt, list_bbox_celeba.txt, "
        "list_eval_partition.txt and list_landmarks_align_celeba.txt, from the data set's own page"
    )
    remedy = (
        "let torchvision fetch it from Google Drive (pip install gdown, data.download=true), which often refuses "
        "because of its quota"
    )
    names = (
        *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips"),
        *("Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin"),
        *("Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open"),
        *("Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline"),
        *("Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat"),
        *("Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young"),
    )

    def __init__(self, *arguments: Any, download: bool = False, **more: Any) -> None:
        super().__init__(*arguments, download=download, **more)

    def open(self, split: Split, download: bool = False) -> Any:
        return self.source(self.root, split=split, download=download)

    def load(self, split: Split) -> tuple[Images, Labels]:
        opened = self.open(split)
        pictures = FolderPictures(Path(self.root, self.folder, "img_align_celeba"), opened.filename)
        images, _ = decoded(pictures, self.image_shape)
        return images, opened.attr.to(torch.uint8)
