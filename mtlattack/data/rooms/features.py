"""Labels computed from the image alone, as Taskonomy does: Canny's edge magnitude and SURF's Hessian response.

Everything is integer arithmetic up to one last square root or division in float64, so that the result is the same on
any machine. Both maps are clipped at a fixed value and stored in `LEVELS` steps, coarse enough to compress well.
"""

import numpy as np

LEVELS = 255
EDGE_CLIP = 1.0
"""Sobel magnitude of grey in [0, 1] (kernel 1 2 1 / -1 0 1, unnormalised, at most about 4) that is stored as 1."""
KEYPOINT_CLIP = 0.002
"""Area-normalised determinant of the Hessian of grey in [0, 1] that is stored as 1."""
EDGE_SCALE = 1.0 / LEVELS
KEYPOINT_SCALE = 1.0 / LEVELS

_LOBES = (3, 5, 7)  # SURF's filter sizes 9, 15, 21


def grey(image: np.ndarray) -> np.ndarray:
    """Luminance of uint8 [H, W, 3] in 256ths of a level: int64 [H, W] in [0, 65280]."""
    channels = image.astype(np.int64)
    return 77 * channels[..., 0] + 150 * channels[..., 1] + 29 * channels[..., 2]


def edge_magnitude(image: np.ndarray) -> np.ndarray:
    """Gradient magnitude after smoothing, of grey in [0, 1]: float64 [H, W]; no non-maximum suppression.

    Smoothing is the binomial kernel 1 4 6 4 1 (sigma 1), the gradient Sobel's; borders repeat the edge pixel.
    """
    g = np.pad(grey(image), 3, mode="edge")
    g = g[:-4] + 4 * g[1:-3] + 6 * g[2:-2] + 4 * g[3:-1] + g[4:]
    g = g[:, :-4] + 4 * g[:, 1:-3] + 6 * g[:, 2:-2] + 4 * g[:, 3:-1] + g[:, 4:]
    down = g[:-2] + 2 * g[1:-1] + g[2:]
    across = g[:, :-2] + 2 * g[:, 1:-1] + g[:, 2:]
    gx = down[:, 2:] - down[:, :-2]
    gy = across[2:] - across[:-2]
    return np.sqrt((gx * gx + gy * gy).astype(np.float64)) / (256.0 * 256.0 * 255.0)


def integral_image(values: np.ndarray) -> np.ndarray:
    """Sums of int64 [H, W] over all pixels above and left: int64 [H + 1, W + 1], first row and column zero."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(values, axis=0, dtype=np.int64), axis=1, dtype=np.int64, out=total[1:, 1:])
    return total


def box_sums(integral: np.ndarray, margin: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Sums over a height x width window whose corner lies at (row + top, column + left), for every pixel but a margin.

    `integral` is that of [H + 2 margin, W + 2 margin] pixels; the result is int64 [H, W].
    """
    rows = integral.shape[0] - 1 - 2 * margin
    columns = integral.shape[1] - 1 - 2 * margin
    y, x = margin + top, margin + left
    a = integral[y : y + rows, x : x + columns]
    b = integral[y : y + rows, x + width : x + width + columns]
    c = integral[y + height : y + height + rows, x : x + columns]
    d = integral[y + height : y + height + rows, x + width : x + width + columns]
    return d - b - c + a


def hessian_response(image: np.ndarray) -> np.ndarray:
    """SURF's response of grey in [0, 1]: the largest determinant over three filters, at least 0; float64 [H, W]."""
    margin = 3 * _LOBES[-1] // 2 + 1
    integral = integral_image(np.pad(grey(image), margin, mode="edge"))
    best = np.zeros(image.shape[:2])
    for lobe in _LOBES:
        size, half = 3 * lobe, 3 * lobe // 2
        wide = 2 * lobe - 1
        yy = box_sums(integral, margin, -half, -lobe + 1, size, wide)
        yy = yy - 3 * box_sums(integral, margin, -(lobe // 2), -lobe + 1, lobe, wide)
        xx = box_sums(integral, margin, -lobe + 1, -half, wide, size)
        xx = xx - 3 * box_sums(integral, margin, -lobe + 1, -(lobe // 2), wide, lobe)
        xy = box_sums(integral, margin, -lobe, -lobe, lobe, lobe) + box_sums(integral, margin, 1, 1, lobe, lobe)
        xy = xy - box_sums(integral, margin, -lobe, 1, lobe, lobe) - box_sums(integral, margin, 1, -lobe, lobe, lobe)
        area = 65280.0 * size * size
        # 0.81 = 0.9² weighs the mixed derivative as in SURF; ints stay below 2**63, so only the division rounds.
        determinant = (100 * xx * yy - 81 * xy * xy).astype(np.float64) / (100.0 * area * area)
        best = np.maximum(best, determinant)
    return best


def _quantise(values: np.ndarray, clip: float) -> np.ndarray:
    return np.floor(np.minimum(values / clip, 1.0) * LEVELS + 0.5).astype(np.uint16)


def edge_texture(image: np.ndarray) -> np.ndarray:
    """Taskonomy's edge_texture of uint8 [H, W, 3]: uint16 [H, W]; times `EDGE_SCALE` in [0, 1]."""
    return _quantise(edge_magnitude(image), EDGE_CLIP)


def keypoints2d(image: np.ndarray) -> np.ndarray:
    """Taskonomy's keypoints2d of uint8 [H, W, 3]: uint16 [H, W]; times `KEYPOINT_SCALE` in [0, 1]."""
    return _quantise(hessian_response(image), KEYPOINT_CLIP)
