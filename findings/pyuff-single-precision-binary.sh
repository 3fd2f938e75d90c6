#!/usr/bin/env bash
# Version: pyuff 2.5.8.
#
# Guess: `write_sets(..., force_double=False)` of a binary data set 58 with `ord_data_type=2` writes as many single-precision
# numbers of four bytes as the header says, and reading gives them back.
#
# Behaviour: the header says 8 points, single precision, 32 bytes; what follows are 64 bytes, the same numbers in double precision.
# pyuff itself then reads 16 numbers, halves of doubles taken for floats:
#     declared: 8 points, type 2, 32 bytes; 64 bytes follow
#     read: [0.0, 1.875, 0.0, -2.0, 0.0, 2.15625, 0.0, 2.28125, 0.0, 2.3125, 0.0, 2.375, 0.0, 2.4375, 0.0, 2.5]
# The text form of the same data set is right.
#
# Means: a reader must hold the declared points against the bytes present, in both directions, and not trust the declared type of
# files that pyuff wrote in single precision; no error tells, and the values look like a signal.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pyuff==2.5.8 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PYTHON'
import numpy as np
import pyuff

VALUES = [1.0, -2.0, 3.25, 4.5, 5.0, 6.0, 7.0, 8.0]


def written(binary):
    """Return a data set, as it is read again, and the bytes of its file."""
    name = f"run-{binary}.uff"
    data_set = pyuff.prepare_58(
        binary=binary, func_type=1, rsp_node=1, rsp_dir=3, ref_node=0, ref_dir=0, rsp_ent_name="PUMP", ref_ent_name="NONE",
        id1="run", data=np.array(VALUES), x=np.arange(8) / 1000, ord_data_type=2, abscissa_spacing=1,
        abscissa_spec_data_type=17, ordinate_spec_data_type=12, orddenom_spec_data_type=0,
        abscissa_axis_units_lab="s", ordinate_axis_units_lab="g",
    )
    pyuff.UFF(name).write_sets([data_set], force_double=False)
    with open(name, "rb") as file:
        return pyuff.UFF(name).read_sets(0), file.read()


found, content = written(binary=1)
body = b"".join(content.splitlines(True)[13:]).removesuffix(b"\n    -1\n").removesuffix(b"    -1\n")
print(
    f"declared: {found['num_pts']} points, type {found['ord_data_type']}, {found['n_bytes']} bytes; {len(body)} bytes follow"
)
print("read:", found["data"].tolist())
assert (found["num_pts"], found["ord_data_type"], found["n_bytes"]) == (8, 2, 32)
assert body == np.array(VALUES, "<f8").tobytes()
assert found["data"].tolist() == np.frombuffer(body, "<f4").tolist()
text, _ = written(binary=0)
assert text["data"].tolist() == VALUES
PYTHON
