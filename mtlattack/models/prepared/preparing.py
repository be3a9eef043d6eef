"""A model made ready for thousands of passes: a private copy that gives the same predictions, faster."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mtlattack.chance import same_chance
from mtlattack.devices import is_out_of_memory
from mtlattack.errors import InputError, one_line
from mtlattack.models.naming import model_name
from mtlattack.models.normalisation import cast_weights, normalising_parts
from mtlattack.models.prepared.copying import BorrowedModule, private_copy
from mtlattack.models.prepared.folding import fold_batch_norms
from mtlattack.models.prepared.frozen import freeze_layers
from mtlattack.models.prepared.reach import how_to_reach, out_of_reach
from mtlattack.tasks import Task
from mtlattack.tf32 import without_tf32

# Of the largest value that a task predicts: folding changes the last bits, a fold gone wrong much more.
TOLERANCE = 1e-4
_CHECKED_IMAGES = 2


class PreparedModel(nn.Module):
    """A frozen copy of a model: float32 images `[B, 3, H, W]` in [0, 1] → float32 predictions by task.

    `model` is taken over: its parameters want no gradient from now on, and its layers keep less of a pass than plain
    ones (`freeze_layers`). `folded` counts the batch norms that went into convolutions; `dtype` is what it computes in.
    """

    def __init__(self, model: nn.Module, *, folded: int, channels_last: bool, dtype: torch.dtype) -> None:
        super().__init__()
        self.model, self.folded, self.channels_last, self.dtype = model, folded, channels_last, dtype
        self.given_name = model_name(model)
        # What normalises by itself takes float32 and rounds afterwards.
        self._image_type = torch.float32 if normalising_parts(model) else dtype
        self.eval().requires_grad_(False)
        freeze_layers(model)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Those of the model."""
        return self.model.tasks  # type: ignore[return-value]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions of the model; InputError if it returns no mapping."""
        return self._read(self.model(self._laid_out(images)))

    def shared_features(self, images: Tensor) -> Tensor:
        """Those of the model, in float32; InputError if it has none, or something else of this name."""
        features = self._own("shared_features", "Tensor [B, …]")(self._laid_out(images))
        if not isinstance(features, Tensor):
            name, what = type(self.model).__name__, type(features).__name__
            raise InputError(f"{name}.shared_features gives a {what}, expected a tensor [B, …]")
        return features.float()

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Predictions in float32, and the feature that they come from, as it is; InputError if the model cannot say."""
        predictions, features = self._own("with_shared_features", "(predictions, Tensor)")(self._laid_out(images))
        return self._read(predictions), features

    def _own(self, name: str, gives: str) -> Callable[[Tensor], Any]:
        """A method of the model on its shared features."""
        method = getattr(self.model, name, None)
        if not callable(method):
            raise InputError(
                f"{type(self.model).__name__} has no `{name}(images) -> {gives}`: give it this method, "
                "or make it with wrap(…, features=…)"
            )
        return method  # type: ignore[no-any-return]

    def _read(self, predictions: object) -> dict[str, Tensor]:
        if not isinstance(predictions, Mapping):
            raise InputError(f"the model returned a {type(predictions).__name__}, expected predictions by task")
        return {name: predictions[name].float() for name in self.tasks if name in predictions}

    def _laid_out(self, images: Tensor) -> Tensor:
        """The images in the layout and type that the model takes; always a copy, which it may write into."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.to(self._image_type, memory_format=layout, copy=True)


def prepare_for_attack(model: nn.Module, images: Tensor) -> PreparedModel:
    """A private copy of `model` on the device of `images` (`[B, 3, H, W]` float32 in [0, 1]).

    Float32, eval mode, no parameter with a gradient, batch norm folded where torch.fx can follow the model,
    channels-last. The copy must predict for the first of the images and their negatives what the model predicts, shared
    features included; where it does not, it is made without folding, then without channels-last, with a warning. The
    caller's model stays as it is; one that cannot be copied is used as it is, with a warning. InputError for a model
    that fails as parts of it cannot be moved, which it names.
    """

    def own() -> nn.Module:
        # Weights moved in inference mode could take no part in a backward pass.
        with torch.inference_mode(False):
            return private_copy(model).to(images.device, torch.float32).eval()

    images = torch.cat([images[:_CHECKED_IMAGES], 1 - images[:_CHECKED_IMAGES]])
    try:
        reference = _plain(own())
    except Exception as error:  # whatever a foreign module holds that cannot be copied or moved
        if is_out_of_memory(error):
            raise
        warnings.warn(f"{model_name(model)} {_raises(error)} when it is copied: used as it is", stacklevel=2)
        return _plain(BorrowedModule(model))
    expected = _expected(reference, images)
    for make, what in ((_folded, "its batch norms are folded"), (_channels_last, "it is laid out channels-last")):
        prepared, reason = _try(make, own(), expected, images)
        if prepared is not None:
            return prepared
        warnings.warn(f"{model_name(model)} {reason} when {what}: left as it was", stacklevel=2)
    return reference


def lower_precision(prepared: PreparedModel, dtype: torch.dtype = torch.bfloat16) -> PreparedModel:
    """A copy whose weights are cast to `dtype` once; images and predictions stay float32.

    Several times as fast where the hardware multiplies in this type. Of a module with parts that normalise images by
    themselves only these are cast, and the rest stays float32. A foreign model may fail in it when called.
    """
    twin = private_copy(prepared.model)
    with torch.inference_mode(False):
        cast_weights(twin, dtype)
    return PreparedModel(twin, folded=prepared.folded, channels_last=prepared.channels_last, dtype=dtype)


def _plain(model: nn.Module) -> PreparedModel:
    return PreparedModel(model, folded=0, channels_last=False, dtype=torch.float32)


def _folded(twin: nn.Module) -> PreparedModel:
    folded = fold_batch_norms(twin)
    prepared = _channels_last(twin)
    prepared.folded = folded
    return prepared


def _channels_last(twin: nn.Module) -> PreparedModel:
    twin = twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return PreparedModel(twin, folded=0, channels_last=True, dtype=torch.float32)


def _try(
    make: Callable[[nn.Module], PreparedModel], twin: nn.Module, expected: Mapping[str, Tensor], images: Tensor
) -> tuple[PreparedModel | None, str]:
    """What `make` makes of a copy if that predicts as expected, or nothing, and what the model did instead."""
    try:
        # A trace runs the model's code, which may draw random numbers.
        with torch.inference_mode(False), same_chance(images.device):
            prepared = make(twin)
        predictions = _predict(prepared, images)
    except Exception as error:  # whatever a foreign module raises when its parts are replaced
        if is_out_of_memory(error):
            raise
        return None, _raises(error)
    same = predictions.keys() == expected.keys() and all(are_close(predictions[n], expected[n]) for n in expected)
    return (prepared, "") if same else (None, "predicts otherwise")


def _expected(reference: PreparedModel, images: Tensor) -> dict[str, Tensor]:
    """What a copy predicts that is moved and no more; InputError where it fails over what could not be moved."""
    try:
        return _predict(reference, images)
    except Exception as error:  # whatever a foreign module raises
        left = out_of_reach(reference.model, images.device, reference.dtype)
        if is_out_of_memory(error) or not left:
            raise
        name, reason = type(reference.model).__name__, one_line(error)
        raise InputError(f"{name} fails on {images.device} in float32: {reason}{how_to_reach(left)}") from error


def _raises(error: Exception) -> str:
    return f"raises {type(error).__name__} ({one_line(error)})"


def are_close(value: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> bool:
    """Whether no value differs by more than a share of the largest expected one; NaN equals NaN."""
    largest = expected.nan_to_num(0, 0, 0).abs().amax()
    return value.shape == expected.shape and torch.allclose(
        value, expected, rtol=0, atol=tolerance * float(largest), equal_nan=True
    )


def _predict(model: PreparedModel, images: Tensor) -> dict[str, Tensor]:
    # In TF32 a prediction is off by more than a fold gone wrong might be.
    with torch.inference_mode(False), torch.no_grad(), without_tf32(), same_chance(images.device):
        # One by one: nobody has said yet how many fit into memory.
        predictions = [model(image) | _encode(model, image) for image in images.split(1)]
    return {name: torch.cat([one[name] for one in predictions]) for name in predictions[0]}


def _encode(model: PreparedModel, images: Tensor) -> dict[str, Tensor]:
    """The shared features, if there are any: they may be read between a convolution and its batch norm."""
    try:
        return {"shared features": model.shared_features(images)}
    except Exception as error:  # whatever a foreign module calls by this name: nobody has asked for it yet
        if is_out_of_memory(error):
            raise
        return {}
