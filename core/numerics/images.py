"""Small robust descriptors of pictures: layout of colours, directions of edges, and which colours there are.

The layout is an 8 x 8 thumbnail (as of MPEG-7's colour layout, without its cosine transform); the directions are
histograms of oriented gradients on 8 x 8 cells of a 64 x 64 thumbnail (Dalal & Triggs 2005); the colours are a
4 x 4 x 4 histogram. Each of the three is of length 1, so that none drowns the others.
"""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from core.numerics.table import Floats

_SIDE = 64
_CELLS = 8
_DIRECTIONS = 8
_LEVELS = 4
N_DESCRIPTOR = 3 * _CELLS**2 + _DIRECTIONS * _CELLS**2 + _LEVELS**3
_MOST_PIXELS = 100_000_000


def describe(content: bytes) -> Floats | None:
    """The descriptor of a picture, ``N_DESCRIPTOR`` numbers; None where it cannot be opened or is too large.

    Turned as its camera says, on white where it is transparent; a moving picture is its first frame.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pillow warns of decompression bombs and of damage
            picture: Image.Image = Image.open(io.BytesIO(content))
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            picture.draft("RGB", (2 * _SIDE, 2 * _SIDE))
            picture = ImageOps.exif_transpose(picture).convert("RGBA")
            ground = Image.new("RGBA", picture.size, "white")
            small = (
                Image.alpha_composite(ground, picture)
                .convert("RGB")
                .resize((_SIDE, _SIDE), Image.Resampling.BOX)
            )
    except Exception:  # noqa: BLE001 -- a damaged file raises whatever its format's reader meets
        return None
    pixels = np.asarray(small, dtype=np.float64) / 255
    return np.concatenate([_unit(part) for part in (_layout(pixels), _edges(pixels), _colours(pixels))])


def _unit(part: Floats) -> Floats:
    length = float(np.linalg.norm(part))
    return part / length if length else part


def _layout(pixels: Floats) -> Floats:
    """Mean colour of every cell, from -1/2 to 1/2."""
    step = _SIDE // _CELLS
    return np.asarray(pixels.reshape(_CELLS, step, _CELLS, step, 3).mean(axis=(1, 3)) - 0.5).ravel()


def _edges(pixels: Floats) -> Floats:
    """How much edge of each direction (0 to 180 degrees) every cell has, as square roots."""
    grey = pixels.mean(axis=2)
    down, across = np.gradient(grey)
    strength = np.hypot(down, across)
    direction = np.floor((np.arctan2(down, across) % np.pi) / np.pi * _DIRECTIONS).astype(int) % _DIRECTIONS
    place = np.arange(_SIDE) // (_SIDE // _CELLS)
    cell = (place[:, None] * _CELLS + place[None, :]) * _DIRECTIONS + direction
    sums = np.bincount(cell.ravel(), weights=strength.ravel(), minlength=_CELLS**2 * _DIRECTIONS)
    return np.sqrt(sums)


def _colours(pixels: Floats) -> Floats:
    """How many pixels each of 64 colours has, as square roots."""
    level = np.minimum((pixels * _LEVELS).astype(int), _LEVELS - 1)
    colour = (level[..., 0] * _LEVELS + level[..., 1]) * _LEVELS + level[..., 2]
    return np.sqrt(np.bincount(colour.ravel(), minlength=_LEVELS**3).astype(np.float64))
