"""What a denoiser is trained by: ``(network, batch, generator) -> scalar``."""

OBJECTIVES = {
    "aligned_neighbours": "pipeline.objectives.aligned_neighbours:OBJECTIVE",
    "n2c": "pipeline.objectives.n2c:OBJECTIVE",
    "n2n": "pipeline.objectives.n2n:OBJECTIVE",
    "neighbor2neighbor": "pipeline.objectives.neighbor2neighbor:OBJECTIVE",
    "noise2self": "pipeline.objectives.noise2self:OBJECTIVE",
    "noise2void": "pipeline.objectives.noise2void:OBJECTIVE",
    "self2align": "pipeline.objectives.self2align:OBJECTIVE",
    "self2align_exchanged": "pipeline.objectives.self2align_exchanged:OBJECTIVE",
    "warped_prediction": "pipeline.objectives.warped_prediction:OBJECTIVE",
}
