"""Imports what commands import when they run; the server process loads this module, once."""

import os
from importlib import import_module
from pathlib import Path

import self2align
from self2align.denoising.frames import choose_denoise
from self2align.runtime.provenance import code_digest

# Read when they are chosen; ONNX and BM3D are optional.
_LEFT_OUT = ("onnx", "bm3d", "__init__")
_ROOT = Path(self2align.__file__).parent

for _place, _folders, _files in os.walk(_ROOT, followlinks=True):
    _folders[:] = [name for name in _folders if name not in ("stages", "shipped", "__pycache__")]
    for _file in _files:
        _path = (Path(_place) / _file).relative_to(_ROOT)
        if _path.suffix == ".py" and _path.stem not in _LEFT_OUT:
            import_module(".".join(("self2align", *_path.with_suffix("").parts)))
code_digest(choose_denoise)  # it keeps the imports that it has read
