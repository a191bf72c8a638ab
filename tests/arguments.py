"""Arguments of every filter: what is allowed, by tables, and random ones that are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cases import Holes, Mirrored, StandIns
from own import Compile, PerPlane, lighten
from reference.diffuse import DIFFUSIVITIES, speed
from reference.scenedetect import THRESHOLDS

Args = dict[str, Any]

REQUIRED: dict[str, dict[str, Any]] = {
    "Decay": {"halflife": 5.0},
    "Extrapolate": {"length": 0},
    "Interpolate": {"factor": 2},
    "Kernel": {"kernel": Compile(lighten, 3, 2), "lags": (0, 0, 0), "params": (0.5, 0.5)},
    "Inpaint": {"mask": Holes()},
    "PoissonBlend": {"overlay": Mirrored(), "mask": Holes()},
    "Spread": {"dx": 1, "dy": 0, "weights": 1.0},
}
"""Arguments without which a filter cannot be called."""

NUMBERS: list[tuple[str, str, float, float, Args]] = [
    ("Diffuse", "time", 0, 10000, {}),
    ("Diffuse", "presmooth", 0, 100, {}),
    ("Diffuse3D", "time", 0, 16, {}),
    ("Diffuse3D", "weight", 0, 1000, {}),
    ("Diffuse3D", "rho", 0, 10, {}),
    ("Diffuse3D", "strength", 0.01, 100, {}),
    ("TensorDiffuse", "time", 0, 10000, {}),
    ("TensorDiffuse", "sigma", 0, 100, {}),
    ("TensorDiffuse", "rho", 0, 100, {}),
    ("TensorDiffuse", "alpha", 0, 1, {}),
    ("Shock", "time", 0, 1000, {}),
    ("Shock", "sigma", 0, 100, {}),
    ("Shock", "rho", 0, 100, {}),
    ("DiffBlend", "alpha", -1, 1000, {}),
    ("DiffBlend", "threshold", 0, 1e6, {}),
    ("DiffBlend", "limit", 0, 1e6, {}),
    ("ChangeMap", "threshold", 0, 1e6, {}),
    ("Extrapolate", "alpha", -2, 2, {"length": 0}),
    ("RepairFrames", "threshold", 0, 1e6, {}),
    ("SceneDetect", "threshold", 0, 1e6, {}),
    ("Decay", "halflife", 0.01, 100000, {}),
    ("Decay", "rate", 1e-6, 100, {}),
    ("Spread", "weights", -1000, 1000, {"dx": 3, "dy": -2}),
    ("Inpaint", "k", 0.001, 10000, {"mask": Holes()}),
    ("Inpaint", "sigma", 0, 10, {"mask": Holes()}),
    ("Inpaint", "tol", 0.001, 255, {"mask": Holes()}),
]
"""Filter, argument, the closed range that it must be in, arguments that it needs beside it."""

CONTRASTS = [("Diffuse", "k"), ("Diffuse3D", "k"), ("Diffuse3D", "kt"), ("TensorDiffuse", "k")]
"""Arguments that are 0 or 0.001...10000, one value for each plane."""

PER_PLANE = [*CONTRASTS, ("DiffBlend", "alpha"), ("DiffBlend", "threshold"), ("DiffBlend", "limit")]
"""Arguments that have a value for each plane, at most."""

FLAGS = [
    *((name, "scenechange") for name in ("DiffBlend", "Decay", "ChangeMap", "Diffuse3D", "Spread", "Kernel")),
    ("Diffuse", "coupled"),
    ("PoissonBlend", "mixed"),
]

INTEGERS: list[tuple[str, str, int, int]] = [
    ("DiffBlend", "lag", -100, 100),
    ("ChangeMap", "lag", -100, 100),
    ("Spread", "lag", -100, 100),
    ("Spread", "dx", -(2**31), 2**31 - 1),
    ("Spread", "dy", -(2**31), 2**31 - 1),
    ("Extrapolate", "length", 0, 2**31 - 4),
    ("Interpolate", "factor", 2, 100),
    ("RepairFrames", "max_gap", 1, 10),
    ("SceneDetect", "min_length", 1, 1000),
    ("Diffuse3D", "radius", 0, 7),
    ("Diffuse3D", "steps", 0, 64),
    ("TensorDiffuse", "steps", 0, 100000),
    ("Diffuse", "steps", 0, 100000),
    ("Dilate", "radius", 0, 10000),
    ("Erode", "radius", 0, 10000),
    ("Inpaint", "temporal", 0, 10),
    *((name, flag, 0, 1) for name, flag in FLAGS),
]
"""Filter, argument, the closed range that it must be in; that of `length` for a clip of three frames."""

CHOICES: list[tuple[str, str, list[str], Args]] = [
    ("Diffuse", "diffusivity", list(DIFFUSIVITIES), {}),
    ("Diffuse", "scheme", ["auto", "explicit", "fed", "aos", "exact"], {}),
    ("TensorDiffuse", "mode", ["eed", "ced"], {}),
    ("Decay", "mode", ["mean", "max", "min", "sum", "fade"], REQUIRED["Decay"]),
    ("ChangeMap", "norm", ["abs", "square", "none"], {}),
    ("Dilate", "shape", ["rect", "cross", "disc"], {}),
    ("Erode", "shape", ["rect", "cross", "disc"], {}),
    ("Inpaint", "mode", ["harmonic", "biharmonic", "eed"], REQUIRED["Inpaint"]),
    ("SceneDetect", "metric", list(THRESHOLDS), {}),
]
"""Filter, argument, the words to choose from, arguments that it needs beside it."""


def diffuse_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Diffuse."""
    time, diffusivity = float(rng.uniform(0.0, 6.0)), str(rng.choice(DIFFUSIVITIES))
    stable = int(np.ceil(4 * speed(diffusivity) * time))
    schemes: list[dict[str, Any]] = [
        {"scheme": "auto"},
        {"scheme": "fed", "steps": int(rng.integers(1, 5))},
        {"scheme": "explicit", "steps": stable + int(rng.integers(1, 9))},
        {"scheme": "aos", "steps": int(rng.integers(0, 5))},
    ]
    steering: dict[str, Any] = {
        "presmooth": float(rng.uniform(0.0, 3.0)),
        "coupled": int(rng.integers(0, 2)),
        "guide": rng.choice([Mirrored(), Mirrored("GRAYS")]),
    }
    contrasts = [float(10.0 ** rng.uniform(-2, 3)) for _ in range(3)]
    if diffusivity == "linear":
        schemes.append({"scheme": "exact"})
        steering = {}
    elif rng.uniform() < 0.3:
        contrasts[rng.integers(0, 3)] = 0.0
    return {
        "time": time,
        "k": contrasts,
        "diffusivity": diffusivity,
        **schemes[rng.integers(0, len(schemes))],
        **{key: value for key, value in steering.items() if rng.uniform() < 0.3},
    }


def diffuse3d_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Diffuse3D."""
    time = float(rng.uniform(0.0, 4.0))
    contrasts = {key: [float(10.0 ** rng.uniform(-1, 3)) for _ in range(3)] for key in ("k", "kt")}
    around: dict[str, Any] = {"neighbours": StandIns()} if rng.uniform() < 0.3 else {"radius": int(rng.integers(0, 8))}
    return {
        "time": time,
        **{key: values for key, values in contrasts.items() if rng.uniform() < 0.6},
        **around,
        "weight": float(rng.choice([0.0, 10.0 ** rng.uniform(-2, 3)])),
        "rho": float(rng.choice([0.0, rng.uniform(0.0, 10.0)])),
        "steps": int(rng.choice([0, np.ceil(4 * time) + rng.integers(0, 9)])),
        "strength": float(rng.uniform(0.3, 3.0)),
        "scenechange": int(rng.integers(0, 2)),
    }


def tensordiffuse_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of TensorDiffuse."""
    return {
        "time": float(rng.uniform(0.0, 6.0)),
        "mode": str(rng.choice(["eed", "ced"])),
        "k": [float(10.0 ** rng.uniform(-2, 3)) for _ in range(3)],
        "sigma": float(rng.uniform(0.0, 3.0)),
        "rho": float(rng.choice([0.0, rng.uniform(0.0, 4.0)])),
        "alpha": float(rng.uniform(0.0, 1.0)),
        "steps": int(rng.integers(0, 4)),
    }


def shock_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Shock."""
    return {name: float(rng.uniform(0.0, 3.0)) for name in ("time", "sigma", "rho")}


def diffblend_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of DiffBlend."""
    return {
        "alpha": [float(rng.uniform(-1, 4)) for _ in range(3)],
        "threshold": [float(rng.uniform(0, 30)) for _ in range(3)],
        "limit": [float(rng.uniform(0, 255)) for _ in range(3)],
        "lag": int(rng.choice([-3, -1, 1, 2, 5])),
    }


def changemap_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of ChangeMap."""
    threshold = {"threshold": float(10.0 ** rng.uniform(-1, 2.5))} if rng.uniform() < 0.5 else {}
    norm, lag = str(rng.choice(["abs", "square", "none"])), int(rng.choice([-3, -1, 1, 2, 5]))
    return {"norm": norm, "lag": lag, **threshold}


def extrapolate_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Extrapolate."""
    return {"length": int(rng.integers(0, 20)), "alpha": float(rng.uniform(-2, 2))}


def interpolate_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Interpolate."""
    return {"factor": int(rng.integers(2, 12))}


def decay_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Decay."""
    modes = ["mean", "max", "min", "sum", "fade"]
    return {"halflife": float(10.0 ** rng.uniform(-1, 2.5)), "mode": str(rng.choice(modes))}


def spread_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Spread: taps near each other, far apart, or anywhere."""
    count, reach = int(rng.integers(1, 65)), int(rng.choice([2, 20, 500, 2**31 - 1]))
    return {
        "dx": tuple(rng.integers(-reach, reach + 1, count).tolist()),
        "dy": tuple(rng.integers(-reach, reach + 1, count).tolist()),
        "weights": tuple(rng.normal(1.0 / count, 0.1, count).tolist()),
        "lag": int(rng.choice([-2, 0, 1, 3])),
    }


def morphology_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Dilate and Erode, also windows larger than the picture."""
    return {"radius": int(10.0 ** rng.uniform(0, 2.5)), "shape": str(rng.choice(["rect", "cross", "disc"]))}


def kernel_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Kernel, of a function of three frames and two numbers."""
    return {
        "kernel": Compile(lighten, sources=3, params=2),
        "lags": tuple(int(lag) for lag in rng.integers(-5, 6, 3)),
        "params": PerPlane(tuple(rng.normal(0.0, 1.0, 2).tolist() for _ in range(3))),
        "scenechange": int(rng.integers(0, 2)),
    }


def poissonblend_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of PoissonBlend."""
    return {"overlay": Mirrored(), "mask": Holes(), "mixed": int(rng.integers(0, 2))}


def inpaint_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of Inpaint."""
    return {
        "mask": Holes(moving=bool(rng.integers(0, 2))),
        "mode": str(rng.choice(["harmonic", "biharmonic", "eed"])),
        "k": float(10.0 ** rng.uniform(0, 3)),
        "sigma": float(rng.choice([0.0, 0.7, 2.0])),
        "temporal": int(rng.integers(0, 3)),
        "tol": float(10.0 ** rng.uniform(-2, 0)),
    }


def scenedetect_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of SceneDetect."""
    metric = str(rng.choice(list(THRESHOLDS)))
    threshold = {"threshold": float(THRESHOLDS[metric] * 10.0 ** rng.uniform(-2, 0.5))} if rng.uniform() < 0.7 else {}
    return {"metric": metric, "min_length": int(10.0 ** rng.uniform(0, 1.5)), **threshold}


def repairframes_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Random valid arguments of RepairFrames."""
    return {"threshold": float(rng.choice([0.0, 10.0 ** rng.uniform(-1, 1)])), "max_gap": int(rng.integers(1, 11))}


ARGUMENTS: dict[str, Callable[[np.random.Generator], dict[str, Any]]] = {
    "Diffuse": diffuse_arguments,
    "Diffuse3D": diffuse3d_arguments,
    "TensorDiffuse": tensordiffuse_arguments,
    "Shock": shock_arguments,
    "DiffBlend": diffblend_arguments,
    "Decay": decay_arguments,
    "ChangeMap": changemap_arguments,
    "Extrapolate": extrapolate_arguments,
    "Interpolate": interpolate_arguments,
    "Spread": spread_arguments,
    "Dilate": morphology_arguments,
    "Erode": morphology_arguments,
    "Inpaint": inpaint_arguments,
    "PoissonBlend": poissonblend_arguments,
    "Kernel": kernel_arguments,
    "SceneDetect": scenedetect_arguments,
    "RepairFrames": repairframes_arguments,
}
"""Of each filter a function that gives random valid ones."""
