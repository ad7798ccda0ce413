"""What runs a network: torch, ONNX Runtime or OpenVINO; the same answers to rounding, one thread a call."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.base.errors import UsageError
from skysift.base.extras import require
from skysift.base.settings import settings
from skysift.learn.device import device_named, placed, precision_on

__all__ = ["Run", "export", "onnx_runner", "runner"]

Pixels: TypeAlias = NDArray[np.float32]
Run: TypeAlias = Callable[[Mapping[str, Pixels]], Pixels]
"""Inputs of a network by name, each with an axis of windows first, to its answer."""


def runner(
    net: nn.Module,
    engine: str,
    *,
    example: Mapping[str, Pixels],
    key: str,
    device: str = "auto",
    precision: str = "float32",
) -> Run:
    """
    What runs a network.

    Parameters
    ----------
    net
        With its weights, ready for use.
    engine
        torch, onnx or openvino.
    example
        Inputs by name, of the shapes that windows have.
    key
        What the network and its weights are known by; files that engines need are kept under it.
    device
        Where torch runs it; the other engines use the CPU.
    precision
        float32, bfloat16 or auto; ONNX Runtime knows float32 alone.

    Raises
    ------
    UsageError
        The engine does not go with the device or the precision, or is not installed.
    """
    if engine == "torch":
        return _torch_runner(net, device, precision)
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"the engine {engine} runs on the CPU", got=f"device={device}", todo="give engine=torch"
        )
    require(f"the engine {engine}", "onnx", "onnxruntime" if engine == "onnx" else "openvino")
    path = settings().cache / "models" / f"{key}.onnx"
    if not path.exists():
        export(net, example, path)
    if engine == "onnx":
        if precision == "bfloat16":
            raise UsageError(
                "ONNX Runtime runs float32 alone", got="precision=bfloat16", todo="give engine=openvino"
            )
        return onnx_runner(path)
    return _openvino_runner(path, precision, example)


def export(net: nn.Module, example: Mapping[str, Pixels], path: Path) -> None:
    """Write a network as ONNX, whole or not at all; windows, rows and columns may be any."""
    net = net.to("cpu").eval()
    given = tuple(torch.from_numpy(np.ascontiguousarray(each)) for each in example.values())
    axes = {
        name: {0: "window", **({2: "row", 3: "column"} if each.ndim == 4 else {})}
        for name, each in example.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(
            net,
            given,
            str(part),
            input_names=list(example),
            output_names=["answer"],
            dynamic_axes={**axes, "answer": {0: "window", 2: "row", 3: "column"}},
            opset_version=17,
            dynamo=False,
        )
    part.replace(path)


def _torch_runner(net: nn.Module, device: str, precision: str) -> Run:
    place = device_named(device)
    kind = precision_on(place, precision)
    if place.type == "cpu":
        torch.set_num_threads(1)  # windows run side by side; and sums do not depend on the machine's cores
    net = placed(net, place).eval()

    def run(inputs: Mapping[str, Pixels]) -> Pixels:
        given = [torch.from_numpy(each).to(place) for each in inputs.values()]
        with (
            torch.inference_mode(),
            torch.autocast(place.type, dtype=kind or torch.bfloat16, enabled=kind is not None),
        ):
            return np.asarray(net(*given).float().cpu().numpy())

    return run


def onnx_runner(path: Path) -> Run:
    """What runs an ONNX file: ONNX Runtime on one thread of the CPU."""
    import onnxruntime

    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = chosen.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), chosen, providers=["CPUExecutionProvider"])

    def run(inputs: Mapping[str, Pixels]) -> Pixels:
        return np.asarray(session.run(["answer"], dict(inputs))[0], np.float32)

    return run


def _openvino_runner(path: Path, precision: str, example: Mapping[str, Pixels]) -> Run:
    import openvino

    core = openvino.Core()
    kind = {"float32": "f32", "bfloat16": "bf16"}.get(precision)
    told = {"INFERENCE_NUM_THREADS": 1, **({"INFERENCE_PRECISION_HINT": kind} if kind else {})}
    usual = {name: each.shape for name, each in example.items()}
    any_shape, usual_shape = core.read_model(str(path)), core.read_model(str(path))
    usual_shape.reshape(
        {name: list(shape) for name, shape in usual.items()}
    )  # a fifth faster where that is known
    making, own = threading.Lock(), threading.local()

    def run(inputs: Mapping[str, Pixels]) -> Pixels:
        # A compiled model that two threads use at once may wait for the interpreter for ever: each has its own.
        name = "usual" if {name: each.shape for name, each in inputs.items()} == usual else "any"
        if not hasattr(own, name):
            with making:
                model = core.compile_model(usual_shape if name == "usual" else any_shape, "CPU", told)
                setattr(own, name, model.create_infer_request())
        answer = getattr(own, name).infer(dict(inputs))
        return np.array(next(iter(answer.values())), np.float32)

    return run
