"""The PNG reader and writer, against its own law and against files that other programs wrote."""

import struct
import zlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_server_a.png import Picture, decode, encode, thumbnail

SHIPPED = (files("task_server_a") / "data" / "storefront.png").read_bytes()


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    row = st.binary(min_size=3 * width, max_size=3 * width)
    return Picture(width, height, tuple(draw(st.lists(row, min_size=height, max_size=height))))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(
    scanlines: bytes, width: int, height: int, kind: tuple[int, ...] = (8, 2, 0, 0, 0)
) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *kind))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(scanlines))
        + chunk(b"IEND", b"")
    )


@given(pictures())
def test_png_decode_of_encoded_picture_is_equal(picture: Picture) -> None:
    assert decode(encode(picture)) == picture


@pytest.mark.parametrize(
    ("method", "second_row"),
    [
        pytest.param(0, bytes([11, 22, 33, 44, 55, 66]), id="none"),
        pytest.param(1, bytes([11, 22, 33, 33, 33, 33]), id="sub"),
        pytest.param(2, bytes([1, 2, 3, 4, 5, 6]), id="up"),
        pytest.param(3, bytes([6, 12, 18, 19, 19, 20]), id="average"),
        pytest.param(4, bytes([1, 2, 3, 4, 5, 6]), id="paeth"),
    ],
)
def test_png_decode_undoes_every_row_filter(method: int, second_row: bytes) -> None:
    first = bytes([10, 20, 30, 40, 50, 60])
    picture = decode(png_of(b"\x00" + first + bytes([method]) + second_row, 2, 2))
    assert picture.rows == (first, bytes([11, 22, 33, 44, 55, 66]))


def test_png_decode_reads_the_shipped_picture() -> None:
    picture = decode(SHIPPED)
    assert (picture.width, picture.height) == (480, 320)
    assert {len(row) for row in picture.rows} == {3 * 480}


@given(pictures(), st.data())
def test_thumbnail_of_one_colour_has_that_colour(picture: Picture, data: st.DataObject) -> None:
    plain = Picture(
        picture.width, picture.height, tuple(b"\x10\x80\xf0" * picture.width for _ in picture.rows)
    )
    small = thumbnail(plain, data.draw(st.integers(1, picture.width)))
    assert set(small.rows) == {b"\x10\x80\xf0" * small.width}
    assert len(small.rows) == small.height


def test_thumbnail_pixel_is_the_mean_of_its_area() -> None:
    picture = Picture(2, 2, (bytes([0, 0, 0, 10, 10, 10]), bytes([20, 20, 20, 30, 30, 30])))
    assert thumbnail(picture, 1).rows == (bytes([15, 15, 15]),)


def test_png_decode_of_other_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a PNG file"):
        decode(b"GIF89a")


def test_png_decode_of_unsupported_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="only 8-bit RGB"):
        decode(png_of(b"\x00\x00", 1, 1, kind=(8, 0, 0, 0, 0)))


@pytest.mark.parametrize("width", [0, 481])
def test_thumbnail_width_out_of_range_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match="1 to 480 pixels"):
        thumbnail(decode(SHIPPED), width)
