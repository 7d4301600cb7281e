"""Alignment: where each pixel of a noisy target lies in a noisy neighbour."""

# name -> "module:class"; see `self2align.alignment.aligner.Aligner`.
ALIGNERS = {
    "dis": "self2align.alignment.dis:Dis",
    "ian": "self2align.alignment.ian:Ian",
    "refined_dis": "self2align.alignment.refined_dis:RefinedDis",
}

# name -> "module:function", ``(network, batch, generator) -> scalar``.
LOSSES = {
    "photometric": "self2align.alignment.losses.photometric:photometric",
    "split": "self2align.alignment.losses.split:split",
}
