"""Finding where each pixel of a noisy target lies in a noisy neighbour."""

ALIGNERS = {
    "dis": "pipeline.alignment.dis:Dis",
    "ian": "pipeline.alignment.ian:Ian",
}
