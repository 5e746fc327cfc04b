#!/bin/sh
# Expected: each config of a dataset's card is read in the format of its own files, as `load_dataset` with
# data_files of Parquet alone does.
# Seen: all configs are opened in the format of the first. Beside a config of WebDataset tars, one of Parquet files
# fails with a ReadError of tarfile; with the two configs in the other order the tars fail as Parquet.
# datasets 5.2.0, pyarrow 25.0.1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import io
import json
import sys
import tarfile
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

CONFIGS = {"shards": "train/*.tar", "table": "table/*.parquet"}


def write(root: Path, order: list[str]) -> str:
    (root / "train").mkdir(parents=True)
    (root / "table").mkdir()
    with tarfile.open(root / "train/0000.tar", "w") as tar:
        data = json.dumps({"yaw": 170}).encode()
        info = tarfile.TarInfo("head.json")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    pq.write_table(pa.table({"yaw": [170]}), root / "table/0000.parquet")
    configs = "".join(f"- config_name: {name}\n  data_files: {CONFIGS[name]}\n" for name in order)
    (root / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    return str(root)


def outcome(*what: str, **files: str) -> str:
    try:
        return f"{len(datasets.load_dataset(*what, split='train', **files))} row"
    except Exception as error:
        text, cause = [], error
        while cause is not None:
            text.append(type(cause).__name__)
            cause = cause.__cause__
        return " from ".join(text)


root = Path(sys.argv[1])
tars_first, table_first = write(root / "a", ["shards", "table"]), write(root / "b", ["table", "shards"])
found = {
    "tars first, tars": outcome(tars_first, "shards"),
    "tars first, table": outcome(tars_first, "table"),
    "table first, table": outcome(table_first, "table"),
    "table first, tars": outcome(table_first, "shards"),
    "table by itself": outcome("parquet", data_files=f"{tars_first}/table/0000.parquet"),
}
print("datasets", datasets.__version__, *(f"\n  {name}: {what}" for name, what in found.items()))
same = [name for name, what in found.items() if what == "1 row"] == [
    "tars first, tars", "table first, table", "table by itself",
]  # fmt: skip
sys.exit(0 if same else 1)
PYTHON
