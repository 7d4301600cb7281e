"""Where frames come from."""

SOURCES = {
    "array": "self2align.sources.array:Array",
    "folder": "self2align.sources.folder:Folder",
    "images": "self2align.sources.images:Images",
    "sample": "self2align.sources.sample:Sample",
    "stack": "self2align.sources.stack:Stack",
    "video": "self2align.sources.video:Video",
}
