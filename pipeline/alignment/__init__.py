"""Finding where each pixel of a noisy target lies in a noisy neighbour."""

ALIGNERS = {
    "dis": "self2align.alignment.dis:Dis",
    "ian": "self2align.alignment.ian:Ian",
    "refined_dis": "self2align.alignment.refined_dis:RefinedDis",
}
LOSSES = {
    "photometric": "self2align.alignment.losses:photometric",
    "split": "self2align.alignment.losses:split",
}
