"""Surveys of footage and checks of a working folder, for `init` and `doctor`."""
