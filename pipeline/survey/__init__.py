"""Looking at footage and at a working folder: what `init` and `doctor` do."""
