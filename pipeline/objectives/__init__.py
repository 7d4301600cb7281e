"""What a denoiser is trained by: ``(network, batch, generator) -> scalar``."""

OBJECTIVES = {
    "n2n": "pipeline.objectives.n2n:OBJECTIVE",
    "self2align": "pipeline.objectives.self2align:OBJECTIVE",
    "warped_prediction": "pipeline.objectives.warped_prediction:OBJECTIVE",
}
