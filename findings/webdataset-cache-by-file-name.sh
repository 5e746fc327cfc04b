#!/bin/sh
# expected: with cache_dir, a shard is taken from the cache if it is a copy of the URL that is asked for
# seen: the cache goes by the last part of the URL alone: a shard of the same file name in another folder is not read, the copy
#       of the first is given in its place, without a word
# versions: webdataset 0.2.111 (curl fetches http URLs)
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check webdataset==0.2.111 numpy
"$work/venv/bin/python" - "$work" <<'PY'
import functools, http.server, importlib.metadata, io, os, sys, tarfile, threading
import webdataset
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
work = sys.argv[1]
os.mkdir(work + "/cache")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=work))
threading.Thread(target=server.serve_forever, daemon=True).start()
def make(name):
    os.mkdir(f"{work}/{name}")
    with tarfile.open(f"{work}/{name}/train-000000.tar", "w") as tar:
        for n in range(3):
            member, text = tarfile.TarInfo(f"{name}-{n}.txt"), name.encode()
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    url = f"http://127.0.0.1:{server.server_port}/{name}/train-000000.tar"
    return [s["__key__"] for s in webdataset.WebDataset(url, shardshuffle=False, empty_check=False, cache_dir=work + "/cache")]
first, second = make("old"), make("new")
print("webdataset", importlib.metadata.version("webdataset"))
print("old/train-000000.tar:", first, "  new/train-000000.tar:", second, "  cache:", os.listdir(work + "/cache"))
sys.exit(not (second == first == ["old-0", "old-1", "old-2"]))
PY
