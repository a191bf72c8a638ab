"""Before and after, side by side: pictures.py FOLDER_OF_CLIPS FOLDER_OF_PICTURES."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import vapoursynth as vs

import vs_vdiff
from vs_vdiff import ffmpeg

core = vs.core


def picture(clip: vs.VideoNode, n: int, path: Path) -> None:
    """Writes frame n of a clip as a JPEG."""
    rgb = core.resize.Spline36(clip[n], format=vs.RGB24, matrix_in=1)
    frame = rgb.get_frame(0)
    planes = b"".join(bytes(frame[plane]) for plane in (1, 2, 0))  # gbrp
    raw = f"-v error -y -f rawvideo -pix_fmt gbrp -s {rgb.width}x{rgb.height} -i -"
    jpeg = "-frames:v 1 -update 1 -pix_fmt yuvj444p -q:v 4"
    subprocess.run(
        [ffmpeg.find(), *raw.split(), *jpeg.split(), str(path)],
        input=planes,
        check=True,
    )


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
    """Gives what a script of scripts/examples makes of a video, in 4:4:4."""
    runpy.run_path(str(Path(__file__).parent / "examples" / f"{name}.vpy"), init_globals={"source": str(video)})
    return core.resize.Spline36(vs.get_output(0).clip, format=vs.YUV444P8)


def main() -> None:
    """Makes the pictures of README.md, docs/*.jpg."""
    clips, folder = map(Path, sys.argv[1:])
    folder.mkdir(exist_ok=True)
    bikes = core.bs.VideoSource(str(clips / "bikes.mp4"), cachemode=0)
    bunny = core.bs.VideoSource(str(clips / "bigbuckbunny.mp4"), cachemode=0)

    def side_by_side(before: vs.VideoNode, *after: vs.VideoNode) -> vs.VideoNode:
        return core.std.StackHorizontal([before, *after])

    closer = core.std.CropAbs(bunny, 480, 270, 400, 200)
    picture(side_by_side(closer, core.vdiff.Diffuse(closer, time=12, k=6)), 100, folder / "diffuse.jpg")
    loud = noisy(bikes[150:165], 10)
    quiet = vs_vdiff.denoise(loud)
    pair = side_by_side(*(core.std.CropAbs(clip, 320, 200, 240, 60) for clip in (loud, quiet)))
    picture(core.resize.Bicubic(pair, format=vs.YUV444P8), 7, folder / "diffuse3d.jpg")
    calm = vs_vdiff.denoise(bikes)
    change = core.std.Expr([bikes, calm], "x y - 8 * 128 +")
    picture(side_by_side(bikes, calm, change), 150, folder / "denoise.jpg")
    edges = core.vdiff.TensorDiffuse(closer, time=8, k=2)
    lines = core.vdiff.TensorDiffuse(closer, time=8, mode="ced")
    picture(side_by_side(closer, edges, lines), 100, folder / "tensordiffuse.jpg")
    sharp, painted = core.vdiff.Shock(closer, time=1), core.vdiff.Shock(closer, time=6, rho=4)
    picture(side_by_side(closer, sharp, painted), 100, folder / "shock.jpg")
    picture(side_by_side(bikes, core.vdiff.Decay(bikes, halflife=8, mode="max")), 70, folder / "decay.jpg")
    picture(side_by_side(bikes, core.vdiff.DiffBlend(bikes, alpha=2, threshold=2)), 70, folder / "diffblend.jpg")
    taxi = core.std.CropAbs(bikes, 400, 272)
    change = core.std.Expr(core.vdiff.ChangeMap(taxi, planes=0), ["x 3 *", "128"])
    mask = core.std.Expr(core.vdiff.ChangeMap(taxi, threshold=20, planes=0), ["", "128"])
    picture(side_by_side(taxi, change, mask), 70, folder / "changemap.jpg")
    small = core.resize.Spline36(core.vdiff.SceneDetect(bikes), 214, 90)
    marked = [n for n, frame in enumerate(small.frames(close=True)) if frame.props["_SceneChangePrev"]]
    around = [core.std.StackVertical([small[n - 1], small[n]]) for n in marked]
    picture(core.std.StackHorizontal(around), 0, folder / "scenedetect.jpg")
    shares = [0.9**i for i in range(40)]
    wind = core.vdiff.Spread(
        bikes,
        dx=[3 * i for i in range(40)],
        dy=[-i for i in range(40)],
        weights=[share / sum(shares) for share in shares],
        lag=0,
    )
    wind = core.std.Expr([bikes, wind], ["x y max", "y"])
    picture(side_by_side(bikes, wind), 70, folder / "spread.jpg")
    picture(side_by_side(closer, core.vdiff.Dilate(closer, radius=5, shape="disc")), 100, folder / "dilate.jpg")
    made = [example(name, clips / "bikes.mp4") for name in ("echo", "false_colour")]
    picture(side_by_side(*made), 70, folder / "kernel.jpg")
    together = core.vdiff.Diffuse(bikes, time=4, k=6)
    together = core.vdiff.Decay(together, halflife=5, mode="max")
    picture(side_by_side(bikes, core.vdiff.DiffBlend(together, alpha=0.4)), 70, folder / "all.jpg")


if __name__ == "__main__":
    main()
