"""Pictures of notebooks, smaller: at most 256 colours, few charts need more."""

from __future__ import annotations

import base64
import functools
import io
from typing import Any

from PIL import Image

COLOURS = 256
PNG = "image/png"


@functools.lru_cache(maxsize=512)
def smaller(png: bytes) -> bytes:
    """The picture with a palette, or as it was where that is no smaller; transparent parts become white."""
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=picture.getchannel("A"))
    packed = io.BytesIO()
    few = paper.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(packed, "PNG", optimize=True)
    return min(png, packed.getvalue(), key=len)


def shrink(notebook: Any) -> Any:
    """Replace the pictures of a notebook's outputs by smaller ones, in place."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if PNG in data:
                drawn = data[PNG] if isinstance(data[PNG], str) else "".join(data[PNG])
                data[PNG] = base64.b64encode(smaller(base64.b64decode(drawn))).decode() + "\n"
    return notebook
