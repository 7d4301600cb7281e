"""JPEG files whose data end early: decoders fill what is missing with gray and say nothing."""

import av


def fault_of(data: bytes) -> str:
    """Return what is wrong with the picture of a JPEG file; empty if nothing is.

    libjpeg only warns of data that end early, and neither Pillow nor OpenCV passes that on. FFmpeg is strict if asked.
    Of kinds that it does not read at all (12 bits, arithmetic coding) nothing is said.
    """
    return "" if _decodes(data, "explode") or not _decodes(data, "ignore_err") else "data that end early or are damaged"


def _decodes(data: bytes, errors: str) -> bool:
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options, decoder.thread_count = {"err_detect": errors}, 1
    try:
        return bool([*decoder.decode(av.Packet(data)), *decoder.decode(None)])
    except av.FFmpegError:
        return False
