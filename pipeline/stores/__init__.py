"""The Zarr layouts: the only room that knows them."""
