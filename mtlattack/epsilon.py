"""ε as files and people write it, and ε as attacks take it: the one place that turns one into the other."""

import math

from mtlattack.errors import InputError, UnknownNameError

# Grey levels above 0 of an 8-bit image.
LEVELS = 255


# As written: on images of about a hundred pixels' height all hurt, and none destroys the image for people.
_DEFAULTS = {"linf": 4.0, "l2": 2.0, "l1": 100.0, "l0": 200.0, "patch": 0.05}
# As written: outside of this somebody has most likely meant another unit.
_USUAL = {"linf": (0.2, 64.0), "l2": (0.02, 50.0), "l1": (0.2, 5000.0), "l0": (1.0, 10000.0), "patch": (0.0005, 0.5)}
_COUNTS = {
    "linf": f"grey levels of {LEVELS} by which any value may change",
    "l2": "the length of the change of all values, pixels in [0, 1]",
    "l1": "the sum of the changes of all values, pixels in [0, 1]",
    "l0": "the pixels that change",
    "patch": "the share of the area that the patch covers",
}


def default_written(norm: str) -> float:
    """The ε, as written, of a norm where nobody says one; UnknownNameError for a norm that there is not."""
    if norm not in _DEFAULTS:
        raise UnknownNameError("norm", norm, _DEFAULTS)
    return _DEFAULTS[norm]


def doubt(written: float, norm: str) -> str | None:
    """What a written ε means, where it is so small or large that another unit may be meant; None where it is usual, and
    where no threat takes it."""
    low, high = _USUAL[norm]
    if low <= written <= high or not 0 < written <= largest_written(norm):
        return None
    size = "small" if written < low else "large"
    taken = f"eps {written:g} is {epsilon_text(in_image_units(written, norm), norm)}, which is {size}"
    is_share = norm == "linf" and written < low
    meant = f"; {written:g} of the whole range is {LEVELS * written:.3g} of them" if is_share else ""
    return f"{taken}: for {norm} it counts {_COUNTS[norm]}{meant}"


def in_image_units(eps: float, norm: str) -> float:
    """Of a written ε, for l_inf in grey levels of 255, what attacks take: pixels are in [0, 1]."""
    return eps / LEVELS if norm == "linf" else eps


def as_written(eps: float, norm: str) -> float:
    """Of an ε in image units what files and people write: for l_inf so many grey levels of 255."""
    return eps * LEVELS if norm == "linf" else eps


def largest_written(norm: str) -> float:
    """The largest ε that can be written: all grey levels, the whole area, or ∞."""
    return {"linf": LEVELS, "patch": 1}.get(norm, math.inf)


def check_written(eps: float, norm: str) -> None:
    """InputError unless a written ε is above 0 and what its norm can have at most."""
    highest = largest_written(norm)
    if not (0 < eps <= highest and eps < math.inf):
        bound = "∞)" if highest == math.inf else f"{highest:g}]"
        raise InputError(f"eps {eps:g} is outside (0, {bound} for {norm}")


def epsilon_text(eps: float, norm: str) -> str:
    """An ε in image units in print: `4/255`, `3 px` of l0, `2 %` of the area for patch, else the number."""
    sizes = {"linf": f"{as_written(eps, norm):g}/{LEVELS}", "l0": f"{eps:g} px", "patch": f"{100 * eps:g} %"}
    return sizes.get(norm, f"{eps:g}")


def threat_text(norm: str, eps: float, quantized: bool = False) -> str:
    """What an attacker may do in print, ε in image units: `linf 8/255` or `l2 0.5, 8-bit`."""
    return f"{norm} {epsilon_text(eps, norm)}" + (", 8-bit" if quantized else "")


def parse_epsilons(text: str, otherwise: str = "") -> list[float]:
    """The written ε of a comma-separated option, `4,8`; InputError, which adds `otherwise`, for what is no number."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--eps {text!r}, expected numbers like 4,8 (levels of {LEVELS}){otherwise}") from None
