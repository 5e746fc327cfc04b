"""Files of other kinds that lie among photos, mostly under a photo's name, and pictures of kinds that are not read."""

from __future__ import annotations

import base64
import gzip

import numpy as np
from encoded_pictures import HEIGHT, WIDTH, encoded, encoded_deep, has_heif, small_picture
from PIL import features
from stated_colours import bmp, cicp, png, with_nclx


def _jpeg_of_frame(marker: int) -> bytes:
    return encoded(small_picture(), "JPEG").replace(b"\xff\xc0", bytes((0xFF, marker)))


def _jpeg_frame_edited(precision: int, components: int) -> bytes:
    data = encoded(small_picture(), "JPEG")
    at = data.index(b"\xff\xc0")
    head = bytes((0, 8 + 3 * components, precision)) + data[at + 5 : at + 9] + bytes((components,))
    return data[: at + 2] + head + data[at + 10 : at + 10 + 3 * components] + data[at + 19 :]


def unsupported_files() -> dict[str, bytes]:
    """Images of kinds that phq does not read."""
    ramp = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    starts = {
        "drawing.svg": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="64"/>\n',
        "drawing.jpg": b'<svg xmlns="http://www.w3.org/2000/svg" width="64"/>\n',
        "document.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "document.jpg": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n",
        "preview.eps": b"\xc5\xd0\xd3\xc6\x1e\0\0\0",
        "layers.psd": b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x78\0\0\0\xa0\0\x08\0\3",
        "layers.jpg": b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x78\0\0\0\xa0\0\x08\0\3",
        "large-layers.psb": b"8BPS\0\2" + bytes(6) + b"\0\3\0\0\0\x78\0\0\0\xa0\0\x08\0\3",
        "icon.icns": b"icns\0\0\0\x08",
        "pointer.cur": b"\0\0\2\0\1\0",
        "wavelets.jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
        "wavelets.j2k": b"\xff\x4f\xff\x51",
        "photo.jxl": b"\0\0\0\x0cJXL \r\n\x87\n",
        "bare.jxl": b"\xff\x0a",
        "quite-ok.qoi": b"qoif",
        "texture.dds": b"DDS \x7c\0\0\0",
        "radiance.exr": b"v/1\x01\2\0\0\0",
        "radiance.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
        "canvas.xcf": b"gimp xcf v011",
        "telescope.fits": b"SIMPLE  =                    T",
        "camera.cr2": b"II*\0\x10\0\0\0CR\2\0",
        "camera.jpg": b"II*\0\x10\0\0\0CR\2\0",
        "camera.cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
        "camera.raf": b"FUJIFILMCCD-RAW 0201",
        "camera.orf": b"IIRO\x08\0\0\0",
        "camera.rw2": b"IIU\0\x18\0\0\0",
        "camera.x3f": b"FOVb\0\0\3\0",
    }
    made = {
        "postscript.eps": encoded(small_picture(), "EPS"),
        "icon.ico": encoded(small_picture(), "ICO"),
        "pixmap.ppm": encoded(small_picture(), "PPM"),
        "camera.dng": encoded(small_picture(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}),
        "float-grey.tif": encoded_deep(".tiff", ramp),
        "float-colour.tif": encoded_deep(".tiff", np.dstack([ramp] * 3)),
        "unknown-compression.tif": encoded(small_picture(), "TIFF").replace(
            b"\3\1\3\0\1\0\0\0\1", b"\3\1\3\0\1\0\0\0\x77"
        ),
        "lossless.jpg": _jpeg_of_frame(0xC3),
        "hierarchical.jpg": _jpeg_of_frame(0xDE),
        "near-lossless.jls": _jpeg_of_frame(0xF7),
        "twelve-bits.jpg": _jpeg_frame_edited(12, 3),
        "two-components.jpg": _jpeg_frame_edited(8, 2),
    }
    return {name: start + bytes(64) for name, start in starts.items()} | made


def unsupported_colours() -> dict[str, bytes]:
    """Pictures whose stated colour is not converted."""
    files = {
        "pq.png": png(cicp(9, 16)),
        "hlg.png": png(cicp(9, 18)),
        "ycbcr.png": png(cicp(9, 13, matrix=9)),
        "unknown-primaries.png": png(cicp(99, 13)),
        "logarithmic.png": png(cicp(1, 9)),
        "profile-elsewhere.bmp": bmp(b"KNIL"),
    }
    if features.check("avif"):
        files |= {"pq.avif": with_nclx("AVIF", 9, 16), "hlg.avif": with_nclx("AVIF", 9, 18)}
    if has_heif():
        files["pq.heic"] = with_nclx("HEIF", 9, 16)
    return files


def files_that_are_no_image() -> dict[str, bytes]:
    """What a photo's name does not tell."""
    jpeg = encoded(small_picture(), "JPEG")
    return {
        "only-a-newline.jpeg": b"\n",
        "one-byte.jpg": b"\xff",
        "text.jpg": b"this is no picture\n" * 20,
        "sixteen-bit-text.jpg": "no picture".encode("utf-16"),
        "page-not-found.jpg": b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
        "answer.jpg": b'{"error": "rate limit"}',
        "pointer-of-git-lfs.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
        "base64.jpg": base64.b64encode(jpeg),
        "data-address.jpg": b"data:image/jpeg;base64," + base64.b64encode(jpeg),
        "read-as-text.jpg": jpeg.decode("latin-1").encode(),
        "zipped.jpg": gzip.compress(jpeg),
        "shifted.jpg": bytes(16) + jpeg,
        "noise.png": np.random.default_rng(1).bytes(5000),
        "zeros.jpg": bytes(5000),
        "ones.jpg": b"\xff" * 5000,
        "notes.txt": b"shot in June\n",
        "notes.jpg": b"BMW, in front of the house\n",
        "clip.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + bytes(64),
        "clip.jpg": b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + bytes(64),
        "clip.webm": b"\x1a\x45\xdf\xa3" + bytes(64),
        "clip.avi": b"RIFF\x40\0\0\0AVI LIST" + bytes(64),
        "sound.wav": b"RIFF\x40\0\0\0WAVEfmt " + bytes(64),
        "sound.mp3": b"ID3\3\0" + bytes(64),
        "archive.zip": b"PK\3\4" + bytes(64),
        "program.jpg": b"\x7fELF\2\1\1" + bytes(64),
        "catalogue.jpg": b"SQLite format 3\0" + bytes(64),
        "profile.icc": bytes(36) + b"acsp" + bytes(88),
    }
