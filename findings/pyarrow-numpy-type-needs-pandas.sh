#!/bin/sh
# Expected: Arrow tells the NumPy type of a column of numbers (of a WebDataset manifest or an embedding) with NumPy
# alone; pandas is an optional dependency.
# Seen: `DataType.to_pandas_dtype()`, the documented way to that type, raises ModuleNotFoundError where pandas is not
# installed, though what it returns for numbers is a NumPy type. An array of the type does tell it. 26.0.1 answers.
# pyarrow 25.0.1, NumPy 2.4.6, no pandas.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
for version in 25.0.1 26.0.1; do
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pyarrow==$version" numpy==2.4.6
    "$folder/venv/bin/python" - "$version" <<'PYTHON'
import sys

import numpy
import pyarrow as pa

kind = pa.float32()
by_array = pa.array([], kind).to_numpy().dtype
try:
    told = str(numpy.dtype(kind.to_pandas_dtype()))
except ModuleNotFoundError as error:
    told = f"{type(error).__name__}: {error}"
print(f"pyarrow {pa.__version__}: to_pandas_dtype {told}; an array's type {by_array}")
fails = told.startswith("ModuleNotFoundError")
sys.exit(0 if fails == (sys.argv[1] == "25.0.1") and by_array == numpy.float32 else 1)
PYTHON
done
