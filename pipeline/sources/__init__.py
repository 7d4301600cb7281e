"""Where frames come from."""

SOURCES = {
    "folder": "pipeline.sources.folder:Folder",
    "images": "pipeline.sources.images:Images",
    "sample": "pipeline.sources.sample:Sample",
    "stack": "pipeline.sources.stack:Stack",
    "video": "pipeline.sources.video:Video",
}
