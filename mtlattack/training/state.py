"""What a training run consists of between two epochs, and how it survives a kill."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mtlattack.errors import InputError, one_line
from mtlattack.files import write_whole_bytes
from mtlattack.models import MultiTaskNetwork
from mtlattack.training.finite import not_finite_weights

Row = dict[str, float]
# What torch, its unpickler and its archives raise over a file that is damaged, and we over one that is another's.
_UNREADABLE = (
    RuntimeError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, OSError, EOFError,
    UnpicklingError,
)  # fmt: skip


@dataclass
class TrainingState:
    """Network, optimiser and everything else that decides what the next epoch does; `curves` has a row an epoch.

    `not_deterministic` names the operations that may have given other last bits each time.
    """

    network: MultiTaskNetwork
    optimizer: torch.optim.Optimizer
    identity: dict[str, Any]
    scaler: GradScaler = field(default_factory=lambda: GradScaler("cpu", enabled=False))
    average: AveragedModel | None = None
    epoch: int = 0
    seconds: float = 0.0
    curves: list[Row] = field(default_factory=list)
    not_deterministic: list[str] = field(default_factory=list)

    @property
    def result(self) -> MultiTaskNetwork:
        """The network that training is for: the averaged one if there is one."""
        network = self.network if self.average is None else self.average.module
        assert isinstance(network, MultiTaskNetwork)
        return network

    def save(self, path: Path) -> None:
        """Write the state whole or not at all."""
        plain = {"identity": self.identity, "epoch": self.epoch, "seconds": self.seconds, "curves": self.curves}
        plain |= {"not_deterministic": self.not_deterministic}
        content = io.BytesIO()  # Of a full disk torch would say only that it is at another position.
        torch.save({name: part.state_dict() for name, part in self._parts().items()} | plain, content)
        write_whole_bytes(path, content.getbuffer())

    def load(self, path: Path) -> None:
        """Go on from a saved state; InputError if it is damaged or another run's."""
        try:
            content = dict(torch.load(path, map_location="cpu", weights_only=True))
            identity = dict(content["identity"])
            differing = [key for key, value in self.identity.items() if identity.get(key) != value]
            if differing:
                raise ValueError(f"other {', '.join(differing)}")
            for name, part in self._parts().items():
                part.load_state_dict(content[name])
            if wrong := not_finite_weights(self.network):
                raise ValueError(f"{wrong} is not finite")
            self.epoch, self.seconds = int(content["epoch"]), float(content["seconds"])
            self.curves = [{str(column): _number(value) for column, value in row.items()} for row in content["curves"]]
            self.not_deterministic = list(content.get("not_deterministic", []))
            if self.epoch != len(self.curves):
                raise ValueError(f"epoch {self.epoch}, curves of {len(self.curves)}")
        except _UNREADABLE as error:
            reason = one_line(error)
            raise InputError(f"{path} is no state of this run ({reason}); start anew with --fresh") from None

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "optimizer": self.optimizer, "scaler": self.scaler}
        return parts | ({} if self.average is None else {"average": self.average})


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise ValueError(f"{value!r:.100} is no number")
    return value


def averaged(network: MultiTaskNetwork, decay: float) -> AveragedModel | None:
    """An exponential moving average of weights and batch statistics, none for decay 0."""
    if decay == 0:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
