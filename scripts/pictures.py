"""The pictures of README and docs: pictures.py FOLDER_OF_CLIPS FOLDER_OF_PICTURES."""

import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import vapoursynth as vs

import logo
import vs_vdiff
from vs_vdiff.sheet import Panel, draw, picture, shown

core = vs.core
Picture = list[list[Panel]]


def panel(label: str, clip: vs.VideoNode, n: int) -> Panel:
    """Gives frame n of a clip under a label."""
    return Panel(label, shown(picture(clip, n)))


def labelled(n: int, clips: dict[str, vs.VideoNode]) -> list[Panel]:
    """Gives frame n of clips, side by side."""
    return [panel(label, clip, n) for label, clip in clips.items()]


def noisy(clip: vs.VideoNode, sigma: float) -> vs.VideoNode:
    """The clip with white Gaussian noise of a deviation on the 8-bit scale, in float."""
    rng = np.random.default_rng(1)
    planes = [plane / 255 for plane in vs_vdiff.to_numpy(clip, 0, clip.num_frames)]
    for plane in planes[1:]:
        plane -= 128 / 255
    noise = [plane + rng.normal(0, sigma / 255, plane.shape) for plane in planes]
    single = clip.format.replace(sample_type=vs.FLOAT, bits_per_sample=32)
    return vs_vdiff.from_numpy([plane.astype(np.float32) for plane in noise], single, clip.fps)


def example(name: str, video: Path) -> vs.VideoNode:
    """Gives what a script of scripts/examples makes of a video."""
    runpy.run_path(str(Path(__file__).parent / "examples" / f"{name}.vpy"), init_globals={"source": str(video)})
    return vs.get_output(0).clip


def inpainted(bikes: vs.VideoNode) -> Picture:
    """A mask of bars, a disc and fine lines on a part of a frame, and what fills it."""
    street = core.resize.Spline36(core.std.CropAbs(bikes, 320, 200, 240, 60), 640, 400)
    rows, columns = np.indices((street.height, street.width))
    mask = np.hypot(rows - 250, columns - 470) < 60
    mask |= (abs(rows - 120) < 12) & (abs(columns - 200) < 150)
    for place in (-300, -40, 260, 520):
        mask |= abs(rows - 0.7 * columns - place + 200) < 2
    holes = vs_vdiff.from_numpy(255 * mask[None].astype(np.uint8), vs.GRAY8)
    white = core.std.BlankClip(street, color=[235, 128, 128])
    spoilt = core.std.MaskedMerge(street, white, core.std.Loop(holes, street.num_frames), first_plane=True)
    filled = {mode: core.vdiff.Inpaint(spoilt, holes, mode=mode) for mode in ("harmonic", "biharmonic", "eed")}
    panels = labelled(20, {"masked": spoilt, **{f'Inpaint(mode="{mode}")': clip for mode, clip in filled.items()}})
    return [panels[:2], panels[2:]]


def of_space(bunny: vs.VideoNode, bikes: vs.VideoNode) -> Iterator[tuple[str, Picture]]:
    """Filters of a frame."""
    closer = core.std.CropAbs(bunny, 480, 270, 400, 200)
    diffused = core.vdiff.Diffuse(closer, time=12, k=6)
    yield "diffuse", [labelled(100, {"before": closer, "Diffuse(time=12, k=6)": diffused})]
    tensors = {
        "before": closer,
        "TensorDiffuse(time=8, k=2)": core.vdiff.TensorDiffuse(closer, time=8, k=2),
        'TensorDiffuse(time=8, mode="ced")': core.vdiff.TensorDiffuse(closer, time=8, mode="ced"),
    }
    yield "tensordiffuse", [labelled(100, tensors)]
    shocks = {
        "before": closer,
        "Shock(time=1)": core.vdiff.Shock(closer, time=1),
        "Shock(time=6, rho=4)": core.vdiff.Shock(closer, time=6, rho=4),
    }
    yield "shock", [labelled(100, shocks)]
    for name in ("Dilate", "Erode"):
        grown = getattr(core.vdiff, name)(closer, radius=5, shape="disc")
        yield name.lower(), [labelled(100, {"before": closer, f'{name}(radius=5, shape="disc")': grown})]
    shares = [0.9**i for i in range(40)]
    wind = core.vdiff.Spread(
        bikes,
        dx=[3 * i for i in range(40)],
        dy=[-i for i in range(40)],
        weights=[share / sum(shares) for share in shares],
        lag=0,
    )
    blown = core.std.Expr([bikes, wind], ["x y max", "y"])
    light = core.std.CropAbs(bikes, 320, 200, 240, 60)
    spot = core.vdiff.Dilate(
        core.std.AddBorders(core.std.BlankClip(light, format=vs.GRAY8, width=2, height=2, color=255), 159, 159, 99, 99),
        radius=70,
        shape="disc",
    )
    dark = core.std.Trim(light, 200).std.Loop(2)
    pasted = core.std.MaskedMerge(light, dark, spot, first_plane=True)
    blended = {
        "the overlay in the mask": pasted,
        "PoissonBlend": core.vdiff.PoissonBlend(light, dark, spot[0]),
        "PoissonBlend(mixed=1)": core.vdiff.PoissonBlend(light, dark, spot[0], mixed=1),
    }
    yield "poissonblend", [labelled(20, blended)]
    yield "inpaint", inpainted(bikes)
    yield "spread", [labelled(70, {"before": bikes, "the brighter of it and Spread, 40 taps": blown})]


def of_time(bikes: vs.VideoNode) -> Iterator[tuple[str, Picture]]:
    """Filters of several frames."""
    loud = noisy(bikes[150:165], 10)
    pair = {"white noise of deviation 10": loud, "denoise: Diffuse3D along motion": vs_vdiff.denoise(loud)}
    pair = {label: core.std.CropAbs(clip, 320, 200, 240, 60) for label, clip in pair.items()}
    yield "diffuse3d", [labelled(7, pair)]
    trail = core.vdiff.Decay(bikes, halflife=8, mode="max")
    yield "decay", [labelled(70, {"before": bikes, 'Decay(halflife=8, mode="max")': trail})]
    blend = core.vdiff.DiffBlend(bikes, alpha=2, threshold=2)
    yield "diffblend", [labelled(70, {"before": bikes, "DiffBlend(alpha=2, threshold=2)": blend})]
    taxi = core.std.CropAbs(bikes, 400, 272)
    changes = {
        "before": taxi,
        "ChangeMap, three times the contrast": core.std.Expr(core.vdiff.ChangeMap(taxi, planes=0), ["x 3 *", "128"]),
        "ChangeMap(threshold=20)": core.std.Expr(core.vdiff.ChangeMap(taxi, threshold=20, planes=0), ["", "128"]),
    }
    yield "changemap", [labelled(70, changes)]
    scene = taxi[60:71]
    longer = core.vdiff.Extrapolate(scene, length=8)
    last = [panel("the last frame", longer, 10), panel("the 4th after it", longer, 14)]
    yield "extrapolate", [[*last, panel("the 8th after it", longer, 18)]]
    near = core.std.CropAbs(bikes, 200, 160, 300, 60)
    given = core.std.SelectEvery(near, 4, 2)
    ways = {
        "left out": near[72],
        "std.Merge": core.std.Merge(near[70], near[74]),
        "Interpolate": core.vdiff.Interpolate(given, factor=2)[35],
    }
    yield "interpolate", [labelled(0, {"before it": near[70], **ways, "after it": near[74]})]
    green = core.std.BlankClip(taxi, color=[0, 0, 0], length=1)
    torn = core.std.StackVertical([core.std.CropAbs(taxi, 400, 120), core.std.CropAbs(green, 400, 152)])
    rows = []
    for label, bad, n in (("green", green, 110), ("torn", torn[112], 112), ("from elsewhere", taxi[20], 114)):
        spoilt = taxi[:n] + bad + taxi[n + 1 :]
        mended = core.vdiff.RepairFrames(spoilt)
        rows.append([panel("frame before", taxi, n - 1), panel(label, spoilt, n), panel("RepairFrames", mended, n)])
    yield "repairframes", rows
    small = core.resize.Spline36(core.vdiff.SceneDetect(bikes), 320, 136)
    cuts = [n for n, frame in enumerate(small.frames(close=True)) if frame.props["_SceneChangePrev"]]
    yield "scenedetect", [[panel(f"frame {n - back}", small, n - back) for n in cuts] for back in (1, 0)]


def of_presets(bunny: vs.VideoNode, bikes: vs.VideoNode) -> Iterator[tuple[str, Picture]]:
    """What is ready-made."""
    calm = vs_vdiff.denoise(bikes)
    change = core.std.Expr([bikes, calm], "x y - 8 * 128 +")
    yield "denoise", [labelled(150, {"before": bikes, "denoise": calm, "difference ×8": change})]
    yield "trails", [labelled(120, {"before": bikes, "trails": vs_vdiff.trails(bikes)})]
    hair = core.std.CropAbs(bunny, 480, 270, 400, 200)
    yield "dream", [labelled(100, {"before": hair, "dream": vs_vdiff.dream(hair)})]
    yield "motion", [labelled(70, {"before": bikes, "motion": vs_vdiff.motion(bikes)})]
    # Contrast shows on paper what the dark shows on a screen.
    bands = core.std.Lut(core.std.CropAbs(bunny, 320, 180, 320, 400), planes=0, function=lambda x: x // 4 * 4 + 2)
    smooth = vs_vdiff.deband(bands, 2)
    pair = {"gradients in steps of 4, three times the contrast": bands, "deband=2": smooth}
    pair = {label: core.std.Expr(clip, ["x 95 - 3 * 128 +", ""]) for label, clip in pair.items()}
    yield "deband", [labelled(60, pair)]
    together = core.vdiff.Diffuse(bikes, time=4, k=6)
    together = core.vdiff.Decay(together, halflife=5, mode="max")
    together = core.vdiff.DiffBlend(together, alpha=0.4)
    yield "all", [labelled(70, {"before": bikes, "diffused, with light trails, motion exaggerated": together})]


def of_logos(bikes: vs.VideoNode) -> Iterator[tuple[str, Picture]]:
    """A logo that is planted, and removed."""
    street = core.std.CropAbs(bikes, 320, 136)
    x, y, w, h = box = (20, 14, 84, 36)
    shape = logo.opacity(street, box)
    planted = logo.plant(street, shape)
    removed = {
        "a logo": planted,
        f"delogo={x}:{y}:{w}:{h}": vs_vdiff.delogo(planted, x, y, w, h),
        "delogo=mask=logo.png": vs_vdiff.delogo(planted, mask=shape),
    }
    yield "delogo", [labelled(150, removed)]


def main() -> None:
    """Makes the pictures, one file for each name, and a sheet by the command itself."""
    clips, folder = map(Path, sys.argv[1:])
    bikes = core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0)
    bunny = core.bs.VideoSource(str(clips / "bigbuckbunny.mp4"), cachemode=0)
    made = {f"{name}.vpy": example(name, clips / "bikes.mp4") for name in ("echo", "false_colour")}
    pictures = {
        **dict(of_space(bunny, bikes)),
        **dict(of_time(bikes)),
        **dict(of_presets(bunny, bikes)),
        **dict(of_logos(bikes)),
        "kernel": [labelled(70, made)],
    }
    for name, rows in pictures.items():
        draw(folder / f"{name}.jpg", rows)
    command: list[str | Path] = [Path(sys.executable).parent / "vdiff", "compare", clips / "bikes.mp4", "-q", "-y"]
    chains = ["--frame", "150"]
    chains += ["--vf", "diffuse=time=4:k=4", "--vf", "diffuse=time=4:k=8", "--crop", "320:200:240:60", "--curve"]
    subprocess.run([*command, *chains, "-o", folder / "compare.jpg"], check=True)


if __name__ == "__main__":
    main()
