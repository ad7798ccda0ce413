"""Where networks run, and with which numbers; memory that does not suffice."""

from __future__ import annotations

import torch
from torch import nn

from skysift.base.errors import UsageError

__all__ = ["device_named", "devices_named", "out_of_memory", "placed", "precision_on"]


def device_named(name: str) -> torch.device:
    """The device of this name: cpu, cuda, cuda:1, or auto (a GPU where there is one).

    Raises
    ------
    UsageError
        There is no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind != "cuda" or (number and not number.isdigit()):
        raise UsageError("no such device", got=name, allowed="auto, cpu, cuda, cuda:N")
    if int(number or 0) >= count:
        raise UsageError(
            "this machine has no such GPU, or torch cannot use it",
            got=name,
            allowed="cpu" if not count else f"cpu, cuda:0 to cuda:{count - 1}",
            todo="give --device cpu",
        )
    return torch.device(name)


def devices_named(names: str) -> tuple[torch.device, ...]:
    """The devices of a list such as ``cuda:0,cuda:1``, or of one name.

    Raises
    ------
    UsageError
        There is no such device on this machine, a GPU is named twice, or GPUs beside the CPU.
    """
    made = tuple(device_named(each.strip()) for each in names.split(","))
    gpus = [each for each in made if each.type == "cuda"]
    if (
        len(made) > 1
        and gpus
        and (len(gpus) < len(made) or len({each.index or 0 for each in gpus}) < len(gpus))
    ):
        raise UsageError(
            "these devices cannot share a training",
            got=names,
            allowed="several GPUs, each once, such as cuda:0,cuda:1; or cpu,cpu",
        )
    return made


def placed(net: nn.Module, device: torch.device) -> nn.Module:
    """A network on a device, its weights in the order in which convolutions run fastest."""
    deep = any(each.ndim == 5 for each in net.parameters())
    order = torch.channels_last_3d if deep else torch.channels_last
    moved: nn.Module = net.to(device, memory_format=order)  # type: ignore[call-overload]
    return moved


def precision_on(device: torch.device, name: str) -> torch.dtype | None:
    """The kind of numbers for autocast, None for float32 throughout.

    Parameters
    ----------
    device
        Where the network runs.
    name
        float32, bfloat16, or auto: bfloat16 where the hardware multiplies it.
    """
    if name == "float32":
        return None
    if name == "auto":
        able = (
            torch.cuda.is_bf16_supported()
            if device.type == "cuda"
            else bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        )
        return torch.bfloat16 if able else None
    return torch.bfloat16


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that memory did not suffice."""
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
