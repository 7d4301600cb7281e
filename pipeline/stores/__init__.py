"""Zarr stores. Only this package defines their layouts."""
