#!/usr/bin/env bash
# Version: pyuff 2.5.8.
#
# Guess: a value that is missing (NaN) is written as such, in IEEE 754 or as text, or it is refused with an error; and what was to be
# written stays as it was in the caller's dictionary.
#
# Behaviour: `write_sets` writes 0 in place of NaN and the largest double in place of infinity, without a word, and puts them into the
# caller's dictionary, too; text and binary alike:
#     given: [0.5, nan, inf, -0.5]
#     read: [0.5, 0.0, 1.7976931348623157e+308, -0.5]
#     the caller's: [0.5, 0.0, 1.7976931348623157e+308, -0.5]
#
# Means: a sensor that dropped out looks like one that stands still after a way through a universal file, and no reader can tell: look
# for NaN before writing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pyuff==2.5.8 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PYTHON'
import numpy as np
import pyuff

GIVEN = [0.5, np.nan, np.inf, -0.5]
for binary in (0, 1):
    data_set = pyuff.prepare_58(
        binary=binary, func_type=1, rsp_node=1, rsp_dir=3, ref_node=0, ref_dir=0, rsp_ent_name="PUMP", ref_ent_name="NONE",
        id1="run", data=np.array(GIVEN), x=np.arange(4) / 1000, abscissa_spacing=1,
        abscissa_spec_data_type=17, ordinate_spec_data_type=12, orddenom_spec_data_type=0,
        abscissa_axis_units_lab="s", ordinate_axis_units_lab="g",
    )
    pyuff.UFF(f"run-{binary}.uff").write_sets([data_set])
    read = pyuff.UFF(f"run-{binary}.uff").read_sets(0)["data"]
    print("given:", GIVEN)
    print("read:", read.tolist())
    print("the caller's:", data_set["data"].tolist())
    assert read[1] == data_set["data"][1] == 0.0
    assert read[2] > 1.79e308
    assert read[[0, 3]].tolist() == [0.5, -0.5]
PYTHON
