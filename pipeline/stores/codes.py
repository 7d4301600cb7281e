"""Numbers at rest: integer codes with CF's ``scale_factor`` and ``add_offset``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What stands for 1.0 in footage of each type, where nothing else is said.
WHITES = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0, "float64": 1.0}


@dataclass(frozen=True)
class Coding:
    """How values are held at rest: ``value = code * scale + offset``.

    uint8 and uint16 hold footage as it came; noisy frames, unclipped, are held as uint16 over the range
    that the noise can reach, whose step is far below the noise (docs/decisions.md, "Noisy frames at rest").
    """

    dtype: str
    scale: float
    offset: float = 0.0

    def decode(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Return values, float32, 1.0 being the source's white."""
        values = codes.astype(np.float32)
        if self.scale != 1.0:
            values *= np.float32(self.scale)
        if self.offset != 0.0:
            values += np.float32(self.offset)
        return values

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return codes: the nearest, clipped to the range of the type."""
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return values.astype(dtype)
        codes = np.rint((values.astype(np.float64) - self.offset) / self.scale)
        limit = np.iinfo(dtype)
        return np.clip(codes, limit.min, limit.max).astype(dtype)

    def attributes(self) -> dict[str, Any]:
        """Return the CF attributes; none for plain numbers."""
        if self.scale == 1.0 and self.offset == 0.0:
            return {}
        return {"scale_factor": self.scale, "add_offset": self.offset}

    @staticmethod
    def of(dtype: Any, attributes: Mapping[str, Any]) -> "Coding":
        """Return the coding that an array's type and attributes tell."""
        return Coding(str(dtype), float(attributes.get("scale_factor", 1.0)), float(attributes.get("add_offset", 0.0)))
