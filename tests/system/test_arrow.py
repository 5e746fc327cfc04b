"""Arrow leaves pandas alone in the processes of phq, and only there."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed")
def test_conversions_no_longer_import_pandas_and_those_to_pandas_still_do() -> None:
    code = (
        "import sys; from phq.system.arrow import without_pandas; without_pandas(); import pyarrow as pa; "
        "table = pa.table({'a': [1, 2]}); print('pandas' in sys.modules, len(table.to_pandas()))"
    )
    assert run(code) == "False 2"


@pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed")
def test_a_process_that_has_imported_pandas_keeps_it() -> None:
    code = (
        "import pandas; from phq.system.arrow import without_pandas; without_pandas(); import pyarrow as pa; "
        "print(pa.array(pandas.Series([1, 2])).to_pylist())"
    )
    assert run(code) == "[1, 2]"


def test_reading_a_dataset_and_the_stages_import_no_library_that_they_do_not_need() -> None:
    heavy = "('pandas', 'scipy', 'cv2', 'PIL', 'tarfile', 'phq.config.build')"
    assert run(f"import sys; import phq.view.show; print([n for n in {heavy} if n in sys.modules])") == "[]"
    assert run("import sys; import phq.building.build; print('scipy' in sys.modules)") == "False"
