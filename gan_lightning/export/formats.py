"""The formats of exported generators: the content of a file, and what it computes when its own runtime reads it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from gan_lightning.errors import UserError
from gan_lightning.export.portable import Inputs

FormatName = Literal["onnx", "torch"]
METADATA = "metadata.json"
"""The extra file in a .pt2 file that has the metadata."""


def traced(network: nn.Module, inputs: Inputs) -> ExportedProgram:
    """Returns the graph of a network for batches of any size.

    Args:
        network: A `PortableGenerator` in eval mode.
        inputs: Inputs of more than one sample, from which the types and widths are taken.

    Raises:
        UserError: The network branches on values, or calls what torch.export does not know.
    """
    batch = Dim("batch")
    try:
        return torch.export.export(network, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs))
    except Exception as error:  # of many types: what a network of a user's own makes torch raise
        name = type(network.generator).__name__
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{name} cannot be exported: {type(error).__name__}: {reason}. Its forward must not branch on the values "
            "of tensors, and work for batches of any size"
        ) from error


def _torch_content(program: ExportedProgram, metadata: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={METADATA: json.dumps(metadata)})
    return file.getvalue()


def _torch_output(content: bytes, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        return torch.export.load(io.BytesIO(content)).module()(*inputs)  # type: ignore[no-any-return]


def _onnx_content(program: ExportedProgram, metadata: Mapping[str, Any]) -> bytes:
    names = ("z", "labels")[: len(program.example_inputs[0])]
    # Its optimizer would take x + 1e-8 for x, which StyleGAN2 divides by; a runtime optimizes the file itself.
    made = torch.onnx.export(
        program, input_names=names, output_names=["images"], dynamo=True, optimize=False, verbose=False
    )
    assert made is not None
    made.model.metadata_props.update((name, json.dumps(value)) for name, value in metadata.items())
    return made.model_proto.SerializeToString()  # type: ignore[no-any-return]


def _onnx_output(content: bytes, inputs: Inputs) -> Tensor | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = zip(session.get_inputs(), inputs, strict=True)
    return torch.from_numpy(session.run(None, {place.name: value.numpy() for place, value in given})[0])


class Format(NamedTuple):
    """A format of exported generators.

    Attributes:
        suffix: The end of the file's name.
        content: A function from a traced network and its metadata to the bytes of the file.
        output: A function from these bytes and inputs to what the file computes; None where its runtime is missing.
        needs: The packages besides torch that write it.
    """

    suffix: str
    content: Callable[[ExportedProgram, Mapping[str, Any]], bytes]
    output: Callable[[bytes, Inputs], Tensor | None]
    needs: tuple[str, ...] = ()


FORMATS: dict[FormatName, Format] = {
    "onnx": Format(".onnx", _onnx_content, _onnx_output, ("onnx", "onnxscript")),
    "torch": Format(".pt2", _torch_content, _torch_output),
}
