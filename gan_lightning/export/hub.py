"""Trained models as folders that a model hub can hold: weights as safetensors, a description as JSON, a model card."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from torchvision.transforms.functional import to_pil_image

from gan_lightning.callbacks.checkpoints import require_finite
from gan_lightning.errors import UserError
from gan_lightning.export import card
from gan_lightning.export.portable import metadata
from gan_lightning.files import write_json
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import FORMAT, rebuild
from gan_lightning.tensor_file import save_tensors
from gan_lightning.training import checkpoint
from gan_lightning.training.checkpoint import CONFIG, LABELS, WEIGHTS
from gan_lightning.visualization import grids

CARD, PICTURE = "README.md", "samples.png"


def save_pretrained(place: str | Path, folder: str | Path) -> Path:
    """Writes a trained model into a folder that `from_pretrained` reads and a hub can hold.

    `model.safetensors` has all weights, D's and the averaged ones (EMA), too; `config.json` says how the model is
    built; `README.md` is its card, with the metrics of the evaluation report, if there is one of this checkpoint. No
    path of this machine, no data and no optimizer's state is in the folder.

    Args:
        place: A run folder, which stands for its last checkpoint, or a checkpoint.
        folder: A new or an empty folder. It appears when all is in it, and stays as it is after an error.

    Returns:
        The folder.

    Raises:
        UserError: There is no such checkpoint, the folder is not empty, or huggingface_hub is missing.
        FloatingPointError: A weight is not finite.
    """
    _require_hub()
    folder, path = Path(folder), checkpoint.locate(place)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: expected a new or an empty folder, so that no model or card is overwritten")
    saved = checkpoint.read(path)
    model = rebuild(saved, path).eval()
    about = metadata(model, saved)
    require_finite(model, [], about["step"])
    labels = model.vocabulary.state() if model.vocabulary else {}
    names = labels.pop("names", None)
    tensors = model.state_dict() | {f"{LABELS}{name}": tensor for name, tensor in labels.items()}
    text = card.text(about, path, PICTURE)
    picture = to_pil_image(grids.grid(model.sample(25), 5)) if about["range"] else None
    with _whole(folder) as made:
        save_tensors(tensors, made / WEIGHTS, {"format": "pt", "gan_lightning": version("gan_lightning")})
        if picture:
            picture.save(made / PICTURE)
        (made / CARD).write_text(text, encoding="utf-8")
        write_json({"format": FORMAT, "model": model.spec, "names": names, "about": about}, made / CONFIG)
    return folder


def from_pretrained(place: str | Path, revision: str | None = None) -> GAN:
    """Loads a model of `save_pretrained`, on the CPU, in eval mode. It runs no code of the folder's.

    Args:
        place: A folder, or the id of a repository of Hugging Face, "user/name", which is downloaded once.
        revision: The branch, tag or commit of the repository; None: its main branch.

    Raises:
        UserError: There is no such folder or repository, it is damaged, describes what is not on the allowlist, or
            huggingface_hub, which downloads, is missing.
    """
    folder = Path(place) if Path(place).is_dir() else _downloaded(str(place), revision)
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{folder} has no {CONFIG}: expected a folder of save_pretrained; gan_lightning.load reads runs"
        )
    return rebuild(checkpoint.read_folder(folder), folder).eval()  # type: ignore[no-any-return]


def push_to_hub(place: str | Path, repo_id: str, *, private: bool | None = None) -> str:
    """Uploads what `save_pretrained` writes to a repository of Hugging Face, as the user of `hf auth login`.

    Args:
        place: A run folder, which stands for its last checkpoint, or a checkpoint.
        repo_id: "user/name". The repository is created if there is none; a card that is there stays as it is.
        private: Whether a new repository is private; None: as the user has set there.

    Returns:
        The address of the repository.

    Raises:
        UserError: As of `save_pretrained`, or the upload failed.
    """
    _require_hub()
    from huggingface_hub import HfApi

    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(place, folder)
        with _one_line_errors(repo_id):
            address = api.create_repo(repo_id, private=private, exist_ok=True)
            kept = [CARD] if api.file_exists(repo_id, CARD) else None
            api.upload_folder(repo_id=repo_id, folder_path=folder, ignore_patterns=kept)
    return str(address)


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yields a new folder in the same place, which becomes `folder`, new or empty, unless there is an error."""
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as place:
        made = Path(place, target.name)
        made.mkdir()
        yield made
        if target.exists():
            target.rmdir()  # Windows does not rename to a name that is there
        os.replace(made, target)


def _downloaded(repo_id: str, revision: str | None) -> Path:
    _require_hub()
    from huggingface_hub import snapshot_download

    with _one_line_errors(f"there is no folder {repo_id}, and no repository of this name could be read"):
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=[CONFIG, WEIGHTS]))


@contextlib.contextmanager
def _one_line_errors(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of many types: of the hub, of HTTP, of the system
        raise UserError(f"{what}: {str(error).strip().partition(chr(10))[0]}") from error


def _require_hub() -> None:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise UserError("a hub's folders need huggingface_hub: pip install 'gan_lightning[hub]'")
