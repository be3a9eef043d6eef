"""What a model is called where nobody says: the name it was given, or the class that its user wrote."""

from torch import jit, nn

GIVEN = "given_name"
"""Attribute of a model that has a name: where it was loaded or wrapped, or as a copy of one that has."""


def model_name(model: object) -> str:
    """The name that a model was given by `wrap`, or where it was loaded; else that of its class (or of the function),
    inside of `DataParallel`, `torch.compile` and TorchScript."""
    given = getattr(model, GIVEN, None)
    if isinstance(given, str) and given:
        return given
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return model_name(model.module)
    if isinstance(model, jit.ScriptModule):
        return str(model.original_name)
    if isinstance(model, nn.Module):
        # torch.compile's class, which importing would load the compiler for.
        original = model._modules.get("_orig_mod")
        return type(model).__name__ if original is None else model_name(original)
    return str(getattr(model, "__name__", type(model).__name__))
