"""What judder finds on public recordings of real machines: ``judder-train benchmark`` with its defaults."""

from __future__ import annotations

import os
from pathlib import Path

from trainer.cli.main import main as judder_train

DATA = Path(os.environ.get("JUDDER_DATA", Path(__file__).parents[2] / "shared" / "data"))


def main() -> None:
    """Print a table for each machine."""
    if not DATA.is_dir():
        print(f"{DATA}: no such folder; set JUDDER_DATA to the recordings")
        return
    judder_train(["benchmark", "--data", str(DATA)], standalone_mode=False)


if __name__ == "__main__":
    main()
