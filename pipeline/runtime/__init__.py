"""What every room stands on: scratch folders, seeds, devices, workers, families."""
