"""Licence, author, source and identity of each photo: from the sidecar into everything a build writes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bundled_photos import FOLDER
from camera_label_datasets import cameras, write_cameras
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from phq.building.build import build
from phq.building.plan import Plan
from phq.cli import app
from phq.config.build import Provenance, load_config
from phq.dataset.sidecar import Sidecar, coverage, read_sidecar
from phq.dataset.statements import names_of, parse_statements
from phq.dataset.tables import rows_table
from phq.dataset.tar import read_member
from phq.decisions.split_groups import LINKS, split_groups, split_of
from phq.errors import InputError, OutputError
from phq.exchange.export import export_labels
from phq.exchange.importing import import_labels
from phq.people.person import Photo
from phq.photos.discover import Found
from phq.schema import PROVENANCE
from phq.stages.state_provenance import StateProvenance

HASH, OTHER = "a" * 64, "b" * 64
ROWS = [
    {
        "path": "a.jpg",
        "licence": "CC BY 4.0",
        "author": "Zoë, A.",
        "source": "https://x.org/1",
        "identity": "12",
        "consent": "yes",
    },
    {"path": "in/b c.png", "licence": "CC0-1.0", "author": "", "source": "", "identity": "Anna; Bo", "consent": ""},
]


def sidecar(folder: Path, text: str, name: str = "credits.csv") -> Sidecar:
    path = folder / name
    path.write_bytes(text.encode())
    return read_sidecar(path)


def table(delimiter: str, names: str = "path,licence,author,source,identity,consent", end: str = "\n") -> str:
    lines = [names.replace(",", delimiter)]
    lines += [delimiter.join(f'"{value}"' for value in row.values()) for row in ROWS]
    return end.join(lines) + end


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", table(",").encode()),
        ("x.CSV", table(";", end="\r\n").encode("utf-8-sig")),
        ("x.tsv", table("\t").encode()),
        ("x.csv", table("\t", end="\r\n").encode("utf-16")),
        ("x.csv", ("\n" + table(",", "Path,License,Photographer,URL,identity,Model_Release") + "\n").encode()),
        ("x.csv", table(",").replace("Zoë,", "  Zoe\u0308, ").encode()),
        ("x.csv", (table(",") + " , ,,,,\n,,\n").encode()),
        ("x.json", json.dumps([{**ROWS[0], "identity": 12, "title": None}, ROWS[1]]).encode()),
        ("x.jsonl", "\n\n".join(json.dumps(row) for row in ROWS).encode()),
    ],
)
def test_every_format_says_the_same(name: str, content: bytes) -> None:
    found = parse_statements(Path(name), content)
    assert [(s.path, s.fields) for s in found] == [
        ("a.jpg", ("CC BY 4.0", "Zoë, A.", "https://x.org/1", "12", "yes")),
        ("in/b c.png", ("CC0-1.0", "", "", "Anna; Bo", "")),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", b"path,licence\na.jpg,CC0\nb.jpg,CC0,Bo\n", "line 3: 3 cells, but the header has 2"),
        ("x.csv", b"path,licence\na.jpg,Zo\xeb\n", "line 2: not UTF-8"),
        ("x.csv", b"file,licence\na.jpg,CC0\n", "line 1: there is no 'path'"),
        ("x.csv", b"path,title\na.jpg,Me\n", "line 1: there is nothing about a photo"),
        ("x.csv", b"path,licence,License\na.jpg,CC0,CC0\n", "line 2: licence is stated twice"),
        ("x.csv", b'path,licence\na.jpg,"CC0\n', "line 2: not CSV"),
        ("x.csv", b"path,licence\n,CC0\n", "line 2: neither path nor sha256"),
        ("x.csv", b"sha256,licence\n12,CC0\n", "line 2: sha256 is '12'"),
        ("x.csv", b"path,consent\na.jpg,yes\nb.jpg,perhaps\n", "line 3: consent is 'perhaps'; it can be yes, limited"),
        ("x.csv", b"path,licence\n", "has no rows"),
        ("x.csv", b"", "has no rows"),
        ("x.json", b"[]", "has no rows"),
        ("x.json", b'{"a.jpg": "CC0"}', "line 1: expected a list of objects"),
        ("x.json", b'[{"path": "a.jpg",\n "licence": "CC0"},\n oops]', "line 3: not JSON"),
        ("x.json", b'[{"path": "a.jpg", "licence": ["CC0"]}]', "entry 1: licence is not text"),
        ("x.json", b'[{"path": "a.jpg", "licence": "\\ud800"}]', "entry 1: licence has half a character"),
        ("x.json", b'[{"path": "a", "author": "A", "author": "B"}]', "entry 1: author is stated twice"),
        ("x.json", b'[["a.jpg", "CC0"]]', "entry 1: expected an object"),
        ("x.json", b"[" * 100_000, "line 1: not JSON that can be read"),
        ("x.jsonl", b'{"path": "a.jpg", "licence": "CC0"}\n{"path"\n', "line 2: not JSON"),
        ("x.txt", b"a.jpg CC0", "neither .csv, .json nor .jsonl"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(name: str, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=r"^the sidecar x\.") as error:
        parse_statements(Path(name), content)
    assert words in str(error.value)


def test_consent_is_read_in_the_words_of_the_field() -> None:
    said = {
        "Yes": "yes", "TRUE": "yes", "1": "yes", "no": "no", "0": "no", "Limited": "limited", "unknown": "", "": "",
        "MR-UMR": "yes", "http://ns.useplus.org/ldf/vocab/MR-NON": "no", "MR-LMR": "limited", "MR-NAP": "",
    }  # fmt: skip
    rows = "".join(f"{number}.jpg,{word}\n" for number, word in enumerate(said))
    found = parse_statements(Path("x.csv"), f"path,consent\n{rows}".encode())
    assert [statement.fields[-1] for statement in found] == list(said.values())
    (flag,) = parse_statements(Path("x.json"), b'[{"path": "a.jpg", "consent": false}]')
    assert flag.fields[-1] == "no"


@pytest.mark.parametrize(
    "rows",
    [
        "a.jpg,,CC0\nb.jpg,,CC0\na.jpg,,CC0",
        "a.jpg,,CC0\nb.jpg,,CC0\n./a.jpg,,CC BY 4.0",
        f"a.jpg,{HASH},CC0\nc.jpg,,CC0\nb.jpg,{HASH.upper()},CC BY 4.0",
        f",{HASH},CC0\nb.jpg,,CC0\n,{HASH},CC0",
    ],
)
def test_a_photo_stated_twice_is_an_error_that_names_both_lines(tmp_path: Path, rows: str) -> None:
    with pytest.raises(InputError, match=r"line 4: .*line 2"):
        sidecar(tmp_path, f"path,sha256,licence\n{rows}\n")


def test_a_sidecar_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_sidecar(tmp_path / "none.csv")


def test_a_row_is_about_the_photo_at_its_path_or_with_its_hash(tmp_path: Path) -> None:
    rows = f"path,sha256,licence\na.jpg,,plain\nb.jpg,{HASH},hashed\n,{OTHER},nameless\n"
    found = sidecar(tmp_path, rows)

    def licence(path: str, sha256: str) -> str | None:
        row = found.about(path, sha256)
        return row.fields[0] if row else None

    assert licence("a.jpg", HASH) == "plain"
    assert licence("b.jpg", HASH) == licence("moved/b.jpg", HASH) == licence("b.jpg", "") == "hashed"
    assert licence("b.jpg", "c" * 64) is None  # another file has taken its place
    assert licence("b.jpg", OTHER) == licence("z.jpg", OTHER) == "nameless"
    assert licence("z.jpg", "") is None


def test_what_did_not_meet_is_counted_and_said(tmp_path: Path) -> None:
    rows = f"path,sha256,licence\na.jpg,,x\ngone.jpg,,x\nb.jpg,{OTHER},x\nold/c.jpg,{HASH},x\n"
    met = coverage(sidecar(tmp_path, rows), [("a.jpg", "1"), ("b.jpg", "2"), ("c.jpg", HASH), ("d.jpg", "")] * 2)
    assert (met.rows, met.stated) == (4, 2)
    assert (met.unstated, met.unknown, met.other_file) == (("b.jpg", "d.jpg"), ("gone.jpg",), ("b.jpg",))
    text = "\n".join(met.sentences())
    for part in ("4 rows, 2 photos", "2 photos without a row, such as b.jpg", "that do not exist, such as gone.jpg"):
        assert part in text


def test_defaults_fill_what_the_sidecar_leaves_open(tmp_path: Path) -> None:
    stage = StateProvenance(
        Provenance(licence="CC0-1.0", author="us"), sidecar(tmp_path, "path,licence,identity\na,,Anna\nb,MIT,\n")
    )
    photos = [Photo(tmp_path / name, name) for name in "abc"]
    photos[1].reject("truncated")
    stage.process(photos)
    stated = [[getattr(photo.provenance, name) for name in PROVENANCE] for photo in photos]
    assert stated == [["CC0-1.0", "us", "", "Anna", ""], ["MIT", "us", "", "", ""], ["CC0-1.0", "us", "", "", ""]]


def slow_groups(rows: list[tuple[str, str]]) -> list[set[str]]:
    """Photos that must stay together, by joining sets that touch until none do."""
    groups = [({photo}, set(names_of(identity))) for photo, identity in rows]
    for _ in rows:
        for i in range(len(groups)):
            for j in range(i):
                if groups[i][0] & groups[j][0] or groups[i][1] & groups[j][1]:
                    groups[i] = groups[j] = (groups[i][0] | groups[j][0], groups[i][1] | groups[j][1])
    return [photos for photos, _ in groups]


@given(st.lists(st.tuples(st.sampled_from("pqrstu"), st.sampled_from(["", "A", "B", "C;D", "D ; E", "F", "G;A"]))))
def test_photos_that_share_a_person_even_through_others_are_one_group(rows: list[tuple[str, str]]) -> None:
    table = rows_table([{"source_sha256": photo, "identity": identity} for photo, identity in rows], LINKS)
    groups = dict(zip([photo for photo, _ in rows], split_groups(table), strict=True))
    for (photo, _), together in zip(rows, slow_groups(rows), strict=True):
        assert {other for other in groups if groups[other] == groups[photo]} == together


def test_a_photo_without_identity_is_split_as_ever() -> None:
    rows = [{"source_sha256": hashlib.sha256(bytes([i])).hexdigest(), "identity": ""} for i in range(200)]
    alone = [row["source_sha256"] for row in rows]
    assert split_groups(rows_table([*rows, {"source_path": "unreadable"}], LINKS)) == [*alone, ""]
    config = load_config(seed=3, sets=["split.val_fraction=0.25"])
    digests = [hashlib.sha256(f"3:{r['source_sha256']}".encode()).digest() for r in rows]
    assert [split_of(r["source_sha256"], config) == "val" for r in rows] == [d[0] < 64 for d in digests]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, something that is no picture, and the sidecar among them."""
    folder = tmp_path_factory.mktemp("sidecar") / "photos"
    (folder / "in").mkdir(parents=True)
    for name, goal in (("astronaut", "a.png"), ("f130", "in/b.jpg")):
        (folder / goal).write_bytes(next(FOLDER.glob(f"*{name}*")).read_bytes())
    (folder / "bad.jpg").write_bytes(b"no picture")
    hashed = hashlib.sha256((folder / "in/b.jpg").read_bytes()).hexdigest()
    rows = [
        "path,licence,author,source,identity,sha256,consent",
        "a.png,CC BY 4.0,Zoë,https://x.org/1,Anna,,yes",
        f"elsewhere.jpg,CC BY 4.0,Bo,https://x.org/2,Anna,{hashed},",
        "bad.jpg,CC0-1.0,Cy,,,,no",
        "gone.jpg,CC0-1.0,,,,,",
    ]
    (folder / "credits.csv").write_text("\n".join(rows), "utf-8")
    return folder


OPTIONS = {"preset": "everything", "size": 64, "workers": 1}


def test_what_is_stated_stands_in_everything_a_build_writes(photos: Path, tmp_path: Path) -> None:
    result = build(photos, tmp_path / "out", sidecar=photos / "credits.csv", sets=["split.val_fraction=0.5"], **OPTIONS)
    rows = pq.read_table(result.out / "manifest.parquet").to_pylist()
    stated = {row["source_path"]: [row[name] for name in PROVENANCE] for row in rows}
    assert stated == {
        "a.png": ["CC BY 4.0", "Zoë", "https://x.org/1", "Anna", "yes"],
        "in/b.jpg": ["CC BY 4.0", "Bo", "https://x.org/2", "Anna", ""],
    }
    for row in rows:
        member = json.loads(read_member(result.out / row["shard"], row["json_offset"], row["json_size"]))
        assert [member[name] for name in PROVENANCE] == stated[row["source_path"]]
    (bad,) = pq.read_table(result.out / "rejects.parquet").to_pylist()
    assert [bad[name] for name in ("source_path", *PROVENANCE)] == ["bad.jpg", "CC0-1.0", "Cy", "", "", "no"]
    assert len({row["split"] for row in rows}) == 1
    card = (result.out / "README.md").read_text("utf-8")
    assert 'license: "cc-by-4.0"' in card
    people = len(rows)
    for line in (
        f"| CC BY 4.0 | {people} |",
        "| Zoë | 1 |",
        f"| x.org | {people} |",
        "tells 1 people apart; none",
        "| yes | 1 |",
    ):
        assert line in card
    run = json.loads((result.out / "run.json").read_text())
    counts = {"rows": 4, "stated": 3, "unstated": 0, "unknown": 1, "other_file": 0, "respelled": 0, "ambiguous": 0}
    digest = hashlib.sha256((photos / "credits.csv").read_bytes()).hexdigest()
    assert run["sidecar"] == {"name": "credits.csv", "sha256": digest, **counts}
    assert result.photos == 3  # the sidecar lies among them and is none


def test_those_without_consent_are_rejected_before_any_network_looks_closer(photos: Path, tmp_path: Path) -> None:
    asked = {**OPTIONS, "sets": ["consent.min=1"]}
    result = build(photos, tmp_path / "out", sidecar=photos / "credits.csv", **asked)
    assert {row["source_path"] for row in result.kept} == {"a.png"}
    rejects = [row for row in result.rejects if row["source_path"] == "in/b.jpg"]
    said = "consent as stated (1 yes, 0.5 limited, 0 unknown, -1 no) is 0, below consent.min = 1"
    assert {(row["reason"], row["score_name"], row["detail"]) for row in rejects} == {
        ("no_consent", "consent_level", said)
    }
    assert all(row.get("keypoints_2d") is None for row in rejects)


def test_who_refused_is_rejected_by_every_preset(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "refused.csv").write_text("path,consent\na.png,no\n")
    result = build(photos, tmp_path / "out", sidecar=tmp_path / "refused.csv", **OPTIONS)
    assert {row["source_path"] for row in result.kept} == {"in/b.jpg"}
    assert {row["reason"] for row in result.rejects if row["source_path"] == "a.png"} == {"no_consent"}


def test_labels_do_not_depend_on_what_is_stated(photos: Path, tmp_path: Path) -> None:
    with_it = build(photos, tmp_path / "1", sidecar=photos / "credits.csv", **OPTIONS)
    without = build(str(photos / "**" / "*.[pj][np]g"), tmp_path / "2", **OPTIONS)
    stated = {*PROVENANCE, "split"}
    kept = [[{k: v for k, v in row.items() if k not in stated} for row in r.kept] for r in (with_it, without)]
    assert kept[0] == kept[1]
    assert {row[name] for row in without.kept for name in PROVENANCE} == {""}
    card = (without.out / "README.md").read_text("utf-8")
    assert 'license: "unknown"' in card
    assert "Nothing was stated" in card


def test_another_sidecar_is_another_build(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config()
    plans = [Plan([Found(photos, "a.png")], config, sidecar=sidecar) for sidecar in ("", HASH, OTHER)]
    assert len({plan.id for plan in plans}) == 3

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("phq.building.carrying.CarryUnits.run", dies)
        with pytest.raises(KeyboardInterrupt):
            build(photos, tmp_path / "out", sidecar=photos / "credits.csv", **OPTIONS)
    (tmp_path / "other.csv").write_text("path,licence\na.png,MIT\n")
    with pytest.raises(OutputError, match="sidecar"):
        build(photos, tmp_path / "out", sidecar=tmp_path / "other.csv", **OPTIONS)


def test_the_command_says_what_did_not_meet(photos: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app,
        ["build", str(photos / "bad.jpg"), str(tmp_path / "out"), "--sidecar", str(photos / "credits.csv")],
    )
    assert done.exit_code == 0, done.output
    assert "sidecar credits.csv: 4 rows, 1 photos stated" in done.output
    assert "3 rows about photos that do not exist, such as a.png" in done.output


def test_a_sidecar_that_cannot_be_used_stops_the_build_before_anything_is_written(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("file,licence\na.png,MIT\n")
    with pytest.raises(InputError, match="line 1"):
        build(photos, tmp_path / "out", sidecar=tmp_path / "x.csv")
    assert not (tmp_path / "out").exists()


def test_nothing_but_the_sidecar_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.csv").write_text("path,licence\na.png,MIT\n")
    with pytest.raises(InputError, match="nothing but the sidecar"):
        build(tmp_path / "in", tmp_path / "out", sidecar=tmp_path / "in" / "x.csv")


def test_an_import_takes_a_sidecar_too(tmp_path: Path) -> None:
    write_cameras(tmp_path / "dataset", cameras(2))
    exported = export_labels(tmp_path / "dataset", tmp_path / "set", "eg3d")
    (tmp_path / "x.json").write_text('[{"path": "none", "licence": "MIT"}]')
    bare = import_labels(exported.images, tmp_path / "bare", "eg3d", workers=1, sidecar=tmp_path / "x.json")
    assert bare.coverage is not None
    first, second = bare.coverage.unstated
    (tmp_path / "x.json").write_text(json.dumps([{"path": first, "licence": "MIT", "identity": 7}]))
    done = import_labels(exported.images, tmp_path / "out", "eg3d", workers=1, sidecar=tmp_path / "x.json")
    stated = {row["source_path"]: (row["licence"], row["identity"]) for row in done.kept}
    assert stated == {first: ("MIT", "7"), second: ("", "")}


def test_a_row_about_a_video_or_a_table_is_about_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("path,author\na.mp4,Ann\na.mp4#t=2.000,Bob\nt.parquet,Cleo\n")
    sidecar = read_sidecar(path)
    photos = ["a.mp4#t=0.000", "a.mp4#t=2.000", "t.parquet#row=7", "b.mp4#t=0.000"]
    authors = [row.fields[1] if (row := sidecar.about(photo, "0")) else None for photo in photos]
    assert authors == ["Ann", "Bob", "Cleo", None]
    met = coverage(sidecar, [(photo, "0") for photo in photos])
    assert (met.stated, met.unstated, met.unknown) == (3, ("b.mp4#t=0.000",), ())


def test_a_path_in_another_spelling_means_the_one_photo_that_is_spelled_alike(tmp_path: Path) -> None:
    """Decomposed accents, backslashes; exact rows first; never a guess."""
    rows = [
        "path,licence", "in\\a.jpg,slashes", "cafe\u0301.jpg,composed", "b.jpg,exact", "c\\d.jpg,two rows",
        "x\u0301.jpg,two photos", "gone\\e.jpg,none",
    ]  # fmt: skip
    names = ["in/a.jpg", "caf\u00e9.jpg", "b.jpg", "\\b.jpg", "c/d.jpg", "B.jpg"]
    found = sidecar(tmp_path, "\n".join([*rows, "c\\.\\d.jpg,again"])).spelled_as(names)
    said = {name: row.fields[0] for name in names if (row := found.about(name, ""))}
    assert said == {"in/a.jpg": "slashes", "caf\u00e9.jpg": "composed", "b.jpg": "exact"}
    assert found.respelled == ("caf\u00e9.jpg", "in/a.jpg")
    assert found.ambiguous == ("c\\.\\d.jpg", "c\\d.jpg")
    met = coverage(found, [(name, "") for name in names])
    assert (met.stated, met.respelled, met.ambiguous) == (3, found.respelled, found.ambiguous)
    assert met.unknown == ("x\u0301.jpg", "gone\\e.jpg")
    text = "\n".join(met.sentences())
    assert "2 photos whose row spells their path in another way" in text
    assert "2 rows not used, since in another spelling several photos or rows have their path, such as c\\.\\d" in text


def test_two_photos_that_are_spelled_alike_take_no_row_but_their_own(tmp_path: Path) -> None:
    found = sidecar(tmp_path, "path,licence\n\u00e9.jpg,mine\n").spelled_as(["\u00e9.jpg", "e\u0301.jpg"])
    assert found.about("\u00e9.jpg", "") is not None
    assert found.about("e\u0301.jpg", "") is None
    nobody = sidecar(tmp_path, "path,licence\nin\\\u00e9.jpg,whose\n").spelled_as(["in/\u00e9.jpg", "in/e\u0301.jpg"])
    assert nobody.ambiguous == ("in\\\u00e9.jpg",)
    assert nobody.about("in/\u00e9.jpg", "") is None
