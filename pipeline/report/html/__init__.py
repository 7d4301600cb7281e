"""The report as one self-contained HTML page, with its templates, style and script."""
