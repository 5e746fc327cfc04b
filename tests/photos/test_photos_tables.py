"""Photos in Parquet tables, as img2dataset and Hugging Face write them."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from encoded_pictures import encoded, small_picture

from phq.errors import InputError
from phq.photos.contents import photos_of
from phq.photos.decode import PhotoRejectError
from phq.photos.discover import Found
from phq.photos.tables import picture_column

PICTURES = [encoded(small_picture(80 + n, 60), "JPEG") for n in range(50)]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def written(path: Path, columns: dict[str, pa.Array], **options) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def reason(photo: Found) -> str:
    with pytest.raises(PhotoRejectError) as error:
        photo.decode()
    return str(error.value)


def images(values: list[dict | None]) -> pa.Array:
    return pa.array(values, STRUCT)


def test_rows_of_an_image_column(tmp_path: Path) -> None:
    rows = images([{"bytes": data, "path": "a.jpg"} for data in PICTURES])
    table = written(tmp_path / "train-0.parquet", {"text": pa.array(["x"] * 50), "image": rows}, row_group_size=20)
    found = photos_of(table)
    assert [photo.name for photo in found] == [f"train-0.parquet#row={n}" for n in range(50)]
    for number in (0, 19, 20, 49, 3, 45, 21):  # forwards and back, across row groups and batches
        assert found[number].decode().pixels.shape == (60, 80 + number, 3)
        assert found[number].sha256() == hashlib.sha256(PICTURES[number]).hexdigest()
    (tmp_path / "b.jpg").write_bytes(PICTURES[0])
    assert [photo.name for photo in photos_of(tmp_path)][:2] == ["b.jpg", "train-0.parquet#row=0"]


def test_a_table_that_is_gone_is_a_reject_like_any_photo(tmp_path: Path) -> None:
    (photo,) = photos_of(written(tmp_path / "a.parquet", {"image": images([{"bytes": PICTURES[0], "path": None}])}))
    photo.path.unlink()
    assert reason(photo).startswith("missing_file") and photo.sha256() == ""


def test_a_row_may_hold_a_path_beside_the_table_but_no_url(tmp_path: Path) -> None:
    (tmp_path / "beside.jpg").write_bytes(PICTURES[7])
    paths = ["beside.jpg", "gone.jpg", "https://example.org/a.jpg"]
    rows = images([*({"bytes": None, "path": path} for path in paths), None, {"bytes": b"", "path": None}])
    found = photos_of(written(tmp_path / "a.parquet", {"image": rows}))
    assert found[0].decode().pixels.shape == (60, 87, 3)
    why = [reason(photo) for photo in found[1:]]
    assert why[0].startswith("missing_file")
    assert why[1].startswith("unsupported_format") and "phq downloads nothing" in why[1]
    assert "its row of the table holds no picture" in why[2]
    assert why[3].startswith("is_empty")


def test_img2dataset_writes_bytes_and_null_where_a_download_failed(tmp_path: Path) -> None:
    columns = {"url": pa.array(["https://a/b.jpg", "https://a/c.jpg"]), "jpg": pa.array([PICTURES[0], None])}
    found = photos_of(written(tmp_path / "00000.parquet", columns))
    assert found[0].decode().format == "JPEG"
    assert reason(found[1]).startswith("missing_file")


def test_a_table_of_urls_is_refused_with_a_sentence(tmp_path: Path) -> None:
    columns = {"url": pa.array(["https://a/b.jpg"]), "caption": pa.array(["x"])}
    table = written(tmp_path / "a.parquet", columns)
    with pytest.raises(InputError, match=r"its pictures are URLs \(column 'url'\), and phq downloads nothing"):
        photos_of(table)
    (tmp_path / "b.jpg").write_bytes(PICTURES[0])
    assert reason(photos_of(tmp_path)[0]).startswith("unsupported_format")
    with pytest.raises(InputError, match="a table without a column of pictures; it has caption"):
        photos_of(written(tmp_path / "a.parquet", {"caption": pa.array(["x"])}))
    (tmp_path / "a.parquet").write_bytes(table.read_bytes()[:-20])
    with pytest.raises(InputError, match="a damaged Parquet file"):
        photos_of(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ([("mask", STRUCT), ("image", STRUCT)], ("image", "struct")),
        ([("first", STRUCT), ("second", STRUCT)], ("first", "struct")),
        ([("blob", pa.binary()), ("png", pa.large_binary())], ("png", "bytes")),
        ([("url", pa.string()), ("file_name", pa.string())], ("file_name", "path")),
        ([("image", pa.string()), ("jpg", pa.binary())], ("jpg", "bytes")),
    ],
)
def test_the_column_with_the_pictures(fields, chosen: tuple[str, str]) -> None:
    column = picture_column(pa.schema(fields))
    assert (column.name, column.kind) == chosen


def test_a_column_that_datasets_declares_an_image_comes_first() -> None:
    features = {"info": {"features": {"photo of you": {"_type": "Image"}, "image": {"dtype": "string"}}}}
    schema = pa.schema([("image", STRUCT), ("photo of you", STRUCT)], {"huggingface": json.dumps(features)})
    assert picture_column(schema).name == "photo of you"


def test_what_the_library_datasets_writes_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(PICTURES[number])
    made = datasets.Dataset.from_dict({"image": [str(tmp_path / f"{n}.jpg") for n in range(3)]})
    made.cast_column("image", datasets.Image()).to_parquet(tmp_path / "a.parquet")
    found = photos_of(tmp_path / "a.parquet")
    assert [photo.decode().pixels.shape[1] for photo in found] == [80, 81, 82]


TEXT = base64.b64encode(PICTURES[3]).decode()


@pytest.mark.parametrize(
    "column",
    [
        pa.array([PICTURES[3]] * 2).dictionary_encode(),
        pa.array([PICTURES[3]] * 2).cast(pa.binary_view()),
        pa.array([TEXT] * 2),
        pa.array([f"data:image/jpeg;base64,{TEXT}"] * 2, pa.large_string()),
    ],
    ids=["dictionary", "view", "base64", "data URL"],
)
def test_pictures_in_other_columns(tmp_path: Path, column: pa.Array) -> None:
    found = photos_of(written(tmp_path / "a.parquet", {"image": column}))
    assert [photo.decode().pixels.shape for photo in found] == [(60, 83, 3)] * 2
    assert found[0].sha256() == hashlib.sha256(PICTURES[3]).hexdigest()


def test_damaged_base64_is_a_reject(tmp_path: Path) -> None:
    found = photos_of(written(tmp_path / "a.parquet", {"image": pa.array(["data:image/png;base64,AAAAA"])}))
    assert "damaged base64" in reason(found[0])


def test_lists_of_pictures_are_refused_with_a_sentence(tmp_path: Path) -> None:
    lists = pa.array([[{"bytes": PICTURES[0], "path": "a.jpg"}]], pa.list_(STRUCT))
    with pytest.raises(InputError, match="one picture a row"):
        photos_of(written(tmp_path / "a.parquet", {"images": lists}))


def test_of_two_columns_of_one_name_the_table_is_refused_and_not_the_build(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(PICTURES[0])
    columns = [pa.array([PICTURES[1]]), pa.array([PICTURES[2]])]
    pq.write_table(pa.Table.from_arrays(columns, names=["image", "image"]), tmp_path / "t.parquet")
    found = photos_of(tmp_path)
    assert [photo.name.partition("#")[0] for photo in found] == ["good.jpg", "t.parquet"]
    assert found[0].sha256() == hashlib.sha256(PICTURES[0]).hexdigest()


def test_a_path_that_is_no_text_has_no_hash_and_harms_no_other_row(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PICTURES[0])
    paths = pa.array([b"\xe9.jpg", str(tmp_path / "a.jpg").encode()]).view(pa.string())
    pq.write_table(pa.table({"image": paths}), tmp_path / "t.parquet")
    hashes = [photo.sha256() for photo in photos_of(tmp_path / "t.parquet")]
    assert hashes[0] == ""
