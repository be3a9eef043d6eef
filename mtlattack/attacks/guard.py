"""`undisturbed`, where it was before it moved to `mtlattack.tasks`."""

from mtlattack.tasks import undisturbed

__all__ = ["undisturbed"]
