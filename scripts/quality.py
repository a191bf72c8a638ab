"""How near a picture is to another one, in figures that the field uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Picture = NDArray[Any]
Real = NDArray[np.float64]


def psnr(picture: Picture, wanted: Picture, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in decibels."""
    error = np.mean((picture.astype(np.float64) - wanted.astype(np.float64)) ** 2)
    return float(10.0 * np.log10(peak**2 / error))


def local_mean(picture: Real) -> Real:
    """Means under a Gaussian window of 11 x 11 pixels, deviation 1.5, where it lies within the picture."""
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        picture = correlate1d(picture, weights, axis)
    return picture[5:-5, 5:-5]


def ssim(picture: Picture, wanted: Picture, peak: float = 1.0) -> float:
    """Structural similarity (Wang et al., IEEE TIP 13(4), 2004), with K1 = 0.01 and K2 = 0.03."""
    x, y = picture.astype(np.float64), wanted.astype(np.float64)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = local_mean(x * x) - mean_x**2 + local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    luminance = (2.0 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float(np.mean(luminance * (2.0 * covariance + c2) / (variances + c2)))
