"""The card of a published model: what it is, how to use it, and what an evaluation has measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_lightning.evaluation import report
from gan_lightning.evaluation.report import ARROWS, EvaluationReport, formatted
from gan_lightning.terminal import printable

TASK = "unconditional-image-generation"
"""The hub's name of what GANs do, whether or not they take labels."""


def text(about: dict[str, Any], checkpoint: Path, picture: str) -> str:
    """Returns a model card in Markdown, whose header has tags and metrics and leaves the license to the user.

    Args:
        about: What the model says of itself, `portable.metadata`.
        checkpoint: The path of its checkpoint, beside which an evaluation report is searched.
        picture: The name of the file with samples, of a model of images.
    """
    from huggingface_hub import ModelCard, ModelCardData

    found = _report_of(checkpoint, about["step"])
    name = printable(about["name"] or about["model"])
    data = ModelCardData(
        library_name="gan_lightning",
        pipeline_tag=TASK if about["range"] else None,
        tags=["gan", "pytorch", "lightning", about["model"].lower()],
        model_name=name,
        eval_results=_results(found) if found else None,
    )
    parts = [_what(name, about)]
    if about["range"]:
        parts.append(f"![Samples]({picture})")
    parts += [_usage(about), _quality(found) if found else "", "## License\n\nNot chosen yet: add `license:` above."]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(filter(None, parts)) + "\n"))


def _report_of(checkpoint: Path, step: int) -> EvaluationReport | None:
    """Returns the evaluation report of a checkpoint; None if there is none, or it is of another step."""
    if not report.path_of(checkpoint).exists():
        return None
    found = report.read(checkpoint)
    return found if found["checkpoint"]["step"] == step else None


def _results(found: EvaluationReport) -> list[Any]:
    from huggingface_hub import EvalResult

    protocol = found["protocol"]
    data = printable(protocol.get("data"))
    return [
        EvalResult(
            task_type=TASK,
            dataset_type=data.lower(),
            dataset_name=data,
            dataset_split=protocol.get("split"),
            metric_type=name,
            metric_value=metric["value"],
            metric_name=f"{name}, extractor {printable(protocol.get('extractor'))}",
        )
        for name, metric in found["metrics"].items()
        if metric["value"] is not None
    ]


def _what(name: str, about: dict[str, Any]) -> str:
    shape = " x ".join(map(str, about["image_shape"]))
    labels = f", conditioned on {len(about['names'])} {about['labels']}" if about["labels"] else ""
    return (
        f"# {name}\n\nThe model is `{about['model']}` with the generator `{about['network']}`{labels}, trained for "
        f"{about['step']:,} batches. Its samples have the shape {shape}."
    )


def _usage(about: dict[str, Any]) -> str:
    label = ", label=0" if about["labels"] else ""
    return (
        "```python\nimport gan_lightning\n\n"
        'model = gan_lightning.from_pretrained("<this repository>")\n'
        f"samples = model.sample(16{label}, seed=0)\n```"
    )


def _quality(found: EvaluationReport) -> str:
    rows = [
        f"| {printable(name)} {ARROWS[metric['better']]} | {formatted(metric, 'value', 'std')} | "
        f"{formatted(metric, 'baseline', 'baseline_std')} |"
        for name, metric in found["metrics"].items()
    ]
    protocol = ", ".join(
        f"{key} {printable(value)}" for key, value in found["protocol"].items() if not key.endswith("hash")
    )
    weights = f"Measured by `gan-evaluate` with the {found['weights']} weights; protocol: {protocol}."
    return "\n".join(
        ["## Quality", "", "| metric | this model | real data |", "| --- | --- | --- |", *rows, "", weights]
    )
