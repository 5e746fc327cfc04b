#!/bin/sh
# expected: load_dataset of a local folder of tars gives the samples of that folder, and after a file has changed, the new ones
# seen: two folders of one name whose README.md has the same `configs` share one cache entry: the second gives the samples of
#       the first, and so does a folder after its tar was replaced under the same name; any line more in `configs` parts them
# versions: datasets 5.2.0, pyarrow 26.0.1
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1
HF_HOME="$work/hf" HF_HUB_OFFLINE=1 "$work/venv/bin/python" - "$work" <<'PY'
import io, os, sys, tarfile
import datasets
datasets.disable_progress_bars()
CARD = "---\nconfigs:\n- config_name: default\n{}  data_files:\n  - split: train\n    path: train/*.tar\n---\n"
def make(folder, word, more=""):
    os.makedirs(folder + "/train", exist_ok=True)
    open(folder + "/README.md", "w").write(CARD.format(more))
    with tarfile.open(folder + "/train/part-0.tar", "w") as tar:
        for n in range(3):
            member, text = tarfile.TarInfo(f"{word}{n}.txt"), f"{word} {n}".encode()
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return folder
def words(folder):
    return sorted({key[:-1] for key in datasets.load_dataset(folder)["train"]["__key__"]})
work = sys.argv[1]
first = words(make(work + "/a/set", "old"))
other = words(make(work + "/b/set", "new"))
changed = words(make(work + "/a/set", "later"))
apart = words(make(work + "/b/set", "new", "  description: another\n"))
print("datasets", datasets.__version__)
print("a/set:", first, "  b/set:", other, "  a/set after its tar was replaced:", changed, "  b/set with a description:", apart)
sys.exit((first, other, changed, apart) != (["old"], ["old"], ["old"], ["new"]))
PY
