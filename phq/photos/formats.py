"""The format of a file, by its first bytes and never by its suffix."""

from __future__ import annotations

from phq.errors import RejectError

_ACCEPTED_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)

_REFUSED_STARTS = (
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\2\0\0\0", "a Targa image"),
    (b"\0\0\x0a\0\0\0", "a Targa image"),
    (b"\0\0\2\0", "a cursor"),
    (b"icns", "an icon"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"qoif", "QOI"),
    (b"DDS ", "a DirectDraw texture"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"gimp xcf", "a GIMP document"),
    (b"SIMPLE  =", "FITS"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"II\xbc", "JPEG XR"),
    (b"SDPX", "DPX"),
    (b"XPDS", "DPX"),
    (b"\x80\x2a\x5f\xd7", "Cineon"),
    (b"\xd7\x5f\x2a\x80", "Cineon"),
    (b"\x01\xda\0", "an SGI image"),
    (b"\x01\xda\1", "an SGI image"),
    (b"\x59\xa6\x6a\x95", "a Sun raster image"),
    (b"\xabKTX ", "a KTX texture"),
    (b"AT&TFORM", "DjVu"),
    (b"farbfeld", "farbfeld"),
    (b"/* XPM */", "XPM"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    *((b"\x0a" + version + b"\1", "PCX") for version in (b"\0", b"\2", b"\3", b"\4", b"\5")),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it, or pack it as zip or tar"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it, or pack it as zip or tar"),
    (b"ARROW1", "an Arrow table; write it as Parquet"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"MMOR", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"FOVb", "camera raw"),
    *((b"P" + digit + space, "a Netpbm image") for digit in (b"1", b"2", b"3", b"4", b"5", b"6", b"7")
      for space in (b"\n", b" ", b"\r", b"\t")),
)  # fmt: skip

_COMPRESSED_STARTS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
"""Of gzip, bzip2, xz and Zstandard."""
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}


def _brand_format(data: bytes) -> str:
    """Format of an ISO base media file from its brands (ISO/IEC 14496-12 §4.3, 23008-12 annex B)."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    major = data[8:12]
    if major == b"crx ":
        raise RejectError("unsupported_format", "camera raw (CR3)")
    brands = {major} | {data[i : i + 4] for i in range(16, end - 3, 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIC_BRANDS:
        return "HEIF"
    raise RejectError("not_an_image", "a video or another ISO media file")


def _is_bmp(data: bytes) -> bool:
    """Whether the header has the size of one of its versions; two letters alone begin many a text."""
    return len(data) < 18 or int.from_bytes(data[14:18], "little") in _BMP_HEADERS


def sniff(data: bytes) -> str:
    """Name of the accepted format `data` starts like, as Pillow calls it (HEIF for HEIC).

    Raises:
        RejectError: is_empty, unsupported_format (a known kind of image phq does not read) or not_an_image.
    """
    if not data:
        raise RejectError("is_empty", "the file has no bytes")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _brand_format(data)
    for start, name in _ACCEPTED_STARTS:
        if data.startswith(start) and (name != "BMP" or _is_bmp(data)):
            return name
    for start, name in _REFUSED_STARTS:
        if data.startswith(start):
            raise RejectError("unsupported_format", name)
    if data[:4] == b"\xff" * 4 and data[4:8].endswith(b"\0"):  # a stream's mark, then the length of its schema
        raise RejectError("unsupported_format", "an Arrow table; write it as Parquet")
    if data.startswith(_COMPRESSED_STARTS):
        raise RejectError("not_an_image", "a compressed file; unpack it")
    if data[128:132] == b"DICM":
        raise RejectError("unsupported_format", "DICOM")
    if b"<svg" in data[:1024]:
        raise RejectError("unsupported_format", "SVG")
    raise RejectError("not_an_image", "its first bytes are those of no image format")
