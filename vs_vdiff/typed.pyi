"""What type checkers and editors know of `vs_vdiff.core`: the filters of `core.vdiff`, with their arguments.

Arguments without a default here that is a value, `| None`, are left out by default. A test compares all this with the
plugin.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import vapoursynth as vs

__all__ = ["core"]

type Several[T] = T | Sequence[T]
"""One value for all planes, or one for each."""

class Vdiff:
    """Video diffusion in space, in time and along frame differences."""

    identifier: str
    namespace: str
    name: str
    version: vs.PluginVersion
    plugin_path: str

    def functions(self) -> Iterator[vs.Function]: ...
    def ChangeMap(
        self,
        clip: vs.VideoNode,
        ref: vs.VideoNode | None = None,
        lag: int = 1,
        threshold: float | None = None,
        norm: Literal["abs", "square", "none"] = "abs",
        scenechange: int = 1,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Where and how much pixels changed: a picture or mask, and statistics as frame properties."""

    def Decay(
        self,
        clip: vs.VideoNode,
        rate: float | None = None,
        halflife: float | None = None,
        mode: Literal["mean", "max", "min", "sum", "fade"] = "mean",
        scenechange: int = 1,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Exponential memory: the mean of the past, light or dark trails, their sum, or a fade to black."""

    def DiffBlend(
        self,
        clip: vs.VideoNode,
        alpha: Several[float] = 0.5,
        ref: vs.VideoNode | None = None,
        lag: int = 1,
        threshold: Several[float] = 0,
        limit: Several[float] = 255,
        scenechange: int = 1,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Along the frame difference: exaggerates change, or blends towards another frame."""

    def Diffuse(
        self,
        clip: vs.VideoNode,
        time: float = 2,
        k: Several[float] = 8,
        diffusivity: Literal["linear", "exp", "rational", "charbonnier", "weickert", "tukey", "tv"] = "rational",
        scheme: Literal["auto", "explicit", "fed", "aos", "exact"] = "auto",
        steps: int = 0,
        presmooth: float = 0,
        guide: vs.VideoNode | None = None,
        coupled: int = 0,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Isotropic diffusion: linear, a Gaussian blur, or edge-stopping, after Perona and Malik."""

    def Diffuse3D(
        self,
        clip: vs.VideoNode,
        neighbours: Sequence[vs.VideoNode] | None = None,
        radius: int = 2,
        time: float = 1,
        k: Several[float] = 0,
        kt: Several[float] = 0,
        weight: float = 9,
        rho: float = 2,
        strength: float = 1,
        steps: int = 0,
        scenechange: int = 1,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Diffusion in time and space: the frame and those around it diffuse as one body."""

    def Dilate(
        self,
        clip: vs.VideoNode,
        radius: int = 1,
        shape: Literal["rect", "cross", "disc"] = "rect",
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Grey-scale dilation, morphology's maximum: every pixel becomes the largest of the window around it."""

    def Erode(
        self,
        clip: vs.VideoNode,
        radius: int = 1,
        shape: Literal["rect", "cross", "disc"] = "rect",
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Grey-scale erosion: every pixel becomes the smallest of the window around it."""

    def Extrapolate(
        self,
        clip: vs.VideoNode,
        length: int,
        alpha: float = 1,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """New frames at the end of a clip: its last change goes on."""

    def Inpaint(
        self,
        clip: vs.VideoNode,
        mask: vs.VideoNode,
        mode: Literal["harmonic", "biharmonic", "eed"] = "harmonic",
        k: float = 2,
        sigma: float = 1,
        temporal: int = 0,
        tol: float = 0.25,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Fills holes: masked pixels are solved for from those around them, and from other frames where nothing moves."""

    def Interpolate(
        self,
        clip: vs.VideoNode,
        factor: int,
    ) -> vs.VideoNode:
        """New frames between the given ones: a cross-dissolve that diffuses what it would show twice."""

    def Kernel(
        self,
        clips: Sequence[vs.VideoNode],
        kernel: str,
        lags: Several[int] = 0,
        params: Several[float] | None = None,
        format: int | None = None,
        scenechange: int = 1,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """The host of the kernels that `vs_vdiff.kernel` compiles."""

    def PoissonBlend(
        self,
        clip: vs.VideoNode,
        overlay: vs.VideoNode,
        mask: vs.VideoNode,
        mixed: int = 0,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Seamless composition: a part of another clip joins the picture around it without a border."""

    def RepairFrames(
        self,
        clip: vs.VideoNode,
        threshold: float = 2,
        max_gap: int = 3,
    ) -> vs.VideoNode:
        """Finds frames that do not fit between their neighbours, and replaces them by the fill between these."""

    def SceneDetect(
        self,
        clip: vs.VideoNode,
        threshold: float | None = None,
        metric: Literal["adaptive", "mse", "mad", "histogram"] = "adaptive",
        min_length: int = 1,
    ) -> vs.VideoNode:
        """Finds cuts, and marks the frames on both sides of them, so that the temporal filters here and elsewhere stop there."""

    def Shock(
        self,
        clip: vs.VideoNode,
        time: float = 1,
        sigma: float = 1.5,
        rho: float = 2,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Sharpening without overshoot: edges become steep, lines coherent."""

    def Spread(
        self,
        clip: vs.VideoNode,
        dx: Several[int],
        dy: Several[int],
        weights: Several[float],
        lag: int = 1,
        scenechange: int = 1,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Weighted transport: every pixel becomes a sum of displaced pixels of the frame, an earlier or a later one."""

    def TensorDiffuse(
        self,
        clip: vs.VideoNode,
        time: float = 2,
        mode: Literal["eed", "ced"] = "eed",
        k: Several[float] = 4,
        sigma: float | None = None,
        rho: float | None = None,
        alpha: float = 0.001,
        steps: int = 0,
        planes: Several[int] | None = None,
    ) -> vs.VideoNode:
        """Anisotropic diffusion: along edges and hardly across them, or along lines that flow, whose gaps it closes."""
    def Filters(self) -> dict[str, list[str]]:
        """For each filter, by its name: what it does, and the defaults of its arguments."""

class Core(vs.Core):  # type: ignore[misc]  # for those for whom VapourSynth has no types
    """VapourSynth's core; plugins other than vdiff are `Any`."""

    def __getattr__(self, name: str) -> Any: ...
    @property
    def vdiff(self) -> Vdiff: ...

core: Core
