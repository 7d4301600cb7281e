"""The training objectives of the denoiser: ``(network, batch, generator) -> scalar``."""

OBJECTIVES = {
    "aligned_neighbours": "self2align.objectives.aligned_neighbours:OBJECTIVE",
    "n2c": "self2align.objectives.n2c:OBJECTIVE",
    "n2n": "self2align.objectives.n2n:OBJECTIVE",
    "neighbor2neighbor": "self2align.objectives.neighbor2neighbor:OBJECTIVE",
    "noise2self": "self2align.objectives.noise2self:OBJECTIVE",
    "noise2void": "self2align.objectives.noise2void:OBJECTIVE",
    "recorrupted_neighbours": "self2align.objectives.recorrupted_neighbours:OBJECTIVE",
    "self2align": "self2align.objectives.self2align:OBJECTIVE",
    "self2align_exchanged": "self2align.objectives.self2align_exchanged:OBJECTIVE",
    "warped_prediction": "self2align.objectives.warped_prediction:OBJECTIVE",
}
