"""Images and labels that somebody has in Python: made what an evaluation reads, as prepared files are."""

from mtlattack.data.own.opening import AnyData, as_batch, labelled_images

__all__ = ["AnyData", "as_batch", "labelled_images"]
