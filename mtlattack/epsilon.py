"""ε as files and people write it, and ε as attacks take it: the one place that turns one into the other."""

import math

from mtlattack.errors import InputError

# Grey levels above 0 of an 8-bit image.
LEVELS = 255


def in_image_units(eps: float, norm: str) -> float:
    """Of a written ε, for l_inf in grey levels of 255, what attacks take: pixels are in [0, 1]."""
    return eps / LEVELS if norm == "linf" else eps


def as_written(eps: float, norm: str) -> float:
    """Of an ε in image units what files and people write: for l_inf so many grey levels of 255."""
    return eps * LEVELS if norm == "linf" else eps


def largest_written(norm: str) -> float:
    """The largest ε that can be written: all grey levels, the whole area, or ∞."""
    return {"linf": LEVELS, "patch": 1}.get(norm, math.inf)


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
