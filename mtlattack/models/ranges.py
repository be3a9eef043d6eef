"""Whether images reach a module in a range that it can have been trained on."""

import warnings
from collections.abc import Sequence

# A network sees next to nothing in images that span less than this; the usual normalisations give 1 to 255.
_NARROW = 0.1
# A mean colour this near to black, as a share of the range, is one for images in [0, 1].
_BLACK = 0.005
_LEVELS = 255


def warn_of_range(
    module: str, mean: Sequence[float], std: Sequence[float], value_range: tuple[float, float], stacklevel: int
) -> None:
    """Warn where (image − mean)/std of images in `value_range` is next to constant or no image has the mean colour.

    The warning names the range that normalised images get, and the likely cause: numbers meant for another range.
    """
    low, high = value_range
    outside = any(not low <= value <= high for value in mean)
    narrow = any((high - low) / value < _NARROW for value in std)
    black = all(0 < value - low < _BLACK * (high - low) for value in mean)
    if not (outside or narrow or black):
        return
    least = min((low - m) / s for m, s in zip(mean, std, strict=True))
    most = max((high - m) / s for m, s in zip(mean, std, strict=True))
    span, advice = f"({low:g}, {high:g})", ""
    if outside:
        reason = f"no image in value_range={span} has the colour mean={_write(mean)}"
    elif narrow:
        reason = f"std={_write(std)} leaves next to nothing of value_range={span}"
    else:
        reason = f"mean={_write(mean)} is next to black in value_range={span}"
        advice = "; for a mean and std of images in [0, 1] leave out value_range"
    if high < _LEVELS and max(*mean, *std) > 1:
        advice = "; for a mean and std of images from 0 to 255 give value_range=(0, 255), or divide them by 255"
    warnings.warn(
        f"normalised images reach {module} between {least:.4g} and {most:.4g}: {reason}{advice}",
        stacklevel=stacklevel + 1,
    )


def _write(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
