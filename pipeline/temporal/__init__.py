"""Several frames at a time: aligned neighbours add what one frame's denoiser cannot know."""
