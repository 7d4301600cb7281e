"""Versions of this package and of the packages that affect results."""

from importlib.metadata import version

from self2align import __version__


def package_versions() -> dict[str, str]:
    """Return package -> version: this package, then those that affect results."""
    return {"self2align": __version__, **{name: version(name) for name in ("torch", "numpy", "zarr")}}


def version_text() -> str:
    """Return the same versions on one line."""
    return ", ".join(f"{name} {text}" for name, text in package_versions().items())
