#!/bin/sh
# expected: ray.data.read_webdataset of a folder reads its tars, as read_parquet and others pass over files of another suffix
# seen: every file of the folder is opened as a tar: the index.json that wids wants beside the shards ends the read with an error
#       (ReadError), though every tar is whole
# versions: ray 2.60.0
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "ray[data]==2.60.0"
cd "$work"
RAY_USAGE_STATS_ENABLED=0 RAY_raylet_start_wait_time_s=120 "$work/venv/bin/python" - "$work" 2>"$work/log" <<'PY' || { tail -3 "$work/log"; exit 1; }
import io, json, os, sys, tarfile
import ray
folder = sys.argv[1] + "/train"
os.mkdir(folder)
with tarfile.open(folder + "/part-000000.tar", "w") as tar:
    for n in range(3):
        member, text = tarfile.TarInfo(f"{n}.txt"), b"words"
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error", object_store_memory=100 << 20)
def keys():
    return sorted(row["__key__"] for row in ray.data.read_webdataset(folder).take_all())
alone = keys()
shard = {"url": "part-000000.tar", "nsamples": 3, "filesize": os.path.getsize(folder + "/part-000000.tar")}
json.dump({"wids_version": 1, "shardlist": [shard]}, open(folder + "/index.json", "w"))
try:
    beside = keys()
except Exception as error:
    beside = "ReadError" if "ReadError" in f"{type(error).__name__} {error}" else f"{type(error).__name__}: {error}"[-300:]
ray.shutdown()
print("ray", ray.__version__)
print("tars alone:", alone, "  with index.json beside them:", beside)
sys.exit(not (alone == ["0", "1", "2"] and beside == "ReadError"))
PY
