"""Finding where each pixel of a noisy target lies in a noisy neighbour."""

ALIGNERS = {
    "dis": "pipeline.alignment.dis:Dis",
    "ian": "pipeline.alignment.ian:Ian",
    "lucas_kanade": "pipeline.alignment.lucas_kanade:LucasKanade",
}
LOSSES = {
    "photometric": "pipeline.alignment.losses:photometric",
    "split": "pipeline.alignment.losses:split",
}
