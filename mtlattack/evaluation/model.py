"""`Model`, where it was before it moved to `mtlattack.tasks`."""

from mtlattack.tasks import Model

__all__ = ["Model"]
