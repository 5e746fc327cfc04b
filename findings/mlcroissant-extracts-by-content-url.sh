#!/bin/sh
# expected: records of an archive are those of the archive that the croissant.json beside it describes, with its sha256
# seen: archives are unpacked once into a cache that goes by the text of contentUrl alone: a second dataset with an archive under
#       the same relative path gives the files of the first, though the stated sha256 is another
# versions: mlcroissant 1.1.1
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check mlcroissant==1.1.1
CROISSANT_CACHE="$work/croissant" "$work/venv/bin/python" - "$work" <<'PY'
import hashlib, importlib.metadata, io, json, logging, os, sys, tarfile
logging.disable(logging.CRITICAL)
import mlcroissant
TERMS = ("citeAs column equivalentProperty extract field fileProperty fileObject fileSet format includes isLiveDataset jsonPath key md5 "
         "parentField path recordSet references regex repeated replace samplingRate separator source subField transform").split()
CONTEXT = {"@language": "en", "@vocab": "https://schema.org/", **{t: f"cr:{t}" for t in TERMS}, "conformsTo": "dct:conformsTo",
           "cr": "http://mlcommons.org/croissant/", "data": {"@id": "cr:data", "@type": "@json"},
           "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/",
           "examples": {"@id": "cr:examples", "@type": "@json"}, "rai": "http://mlcommons.org/croissant/RAI/", "sc": "https://schema.org/"}
work = sys.argv[1]
def read(name):
    os.makedirs(f"{work}/{name}/train")
    path = f"{work}/{name}/train/part-0.tar"
    with tarfile.open(path, "w") as tar:
        for n in range(3):
            member, text = tarfile.TarInfo(f"{name}{n}.txt"), name.encode()
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    sha = hashlib.sha256(open(path, "rb").read()).hexdigest()
    files = {"@type": "cr:FileSet", "@id": "texts", "name": "texts", "containedIn": {"@id": "part"}, "encodingFormat": "text/plain", "includes": "*.txt"}
    part = {"@type": "cr:FileObject", "@id": "part", "name": "part", "contentUrl": "train/part-0.tar", "encodingFormat": "application/x-tar", "sha256": sha}
    field = {"@type": "cr:Field", "@id": "lines/name", "name": "name", "dataType": "sc:Text",
             "source": {"fileSet": {"@id": "texts"}, "extract": {"fileProperty": "filename"}}}
    document = {"@context": CONTEXT, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0", "name": name, "description": name,
                "license": "CC0-1.0", "url": "https://example.org", "distribution": [part, files],
                "recordSet": [{"@type": "cr:RecordSet", "@id": "lines", "name": "lines", "field": [field]}]}
    json.dump(document, open(f"{work}/{name}/croissant.json", "w"))
    return sorted(r["lines/name"].decode() for r in mlcroissant.Dataset(f"{work}/{name}/croissant.json").records("lines"))
first, second = read("old"), read("new")
print("mlcroissant", importlib.metadata.version("mlcroissant"))
print("old:", first, "  new:", second)
sys.exit(not (second == first == ["old0.txt", "old1.txt", "old2.txt"]))
PY
