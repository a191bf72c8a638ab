"""Inpaint on real frames, beside OpenCV and scikit-image: the table of scripts/bench inpaint, in part."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from benchmarks.inpaint import EQUAL, OURS, PEERS, frames, mask_of, spoilt, within


@pytest.mark.parametrize(
    ("kind", "place"), list(product(["text", "boxes", "scratches"], [("bikes", 10), ("bigbuckbunny", 40)]))
)
def test_some_mode_reaches_the_best_of_them(core: Any, kind: str, place: tuple[str, int]) -> None:
    """PSNR in the mask; and `biharmonic` is scikit-image's, but for what that clips to the known range."""
    name, n = place
    [picture] = frames(name, [n])
    mask = mask_of(kind, name, n, picture.shape)
    given = spoilt(picture, mask)
    found = {fill: within(function(given, mask), picture, mask) for fill, function in (OURS | PEERS).items()}
    print(found)
    assert max(found[mode] for mode in OURS) >= max(found[peer] for peer in PEERS) - EQUAL
    assert found["biharmonic"] >= found["skimage biharmonic"] - 0.4
