"""What lies at a path, told by names alone: before anything is opened, and before torch or Zarr are loaded."""

from pathlib import Path


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def check_weights(path: Path) -> None:
    """Refuse a path of weights at which there is no file."""
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected weights (.safetensors)")
