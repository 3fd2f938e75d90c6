"""Open bundles as a gateway does, their golden windows scored on this processor; the deviation is printed.

Runs under emulation with nothing but numpy and the TFLite runtime.
"""

import platform
import sys
from pathlib import Path

from agent.inference.detector import check_golden, open_detector


def main() -> int:
    """Judge the bundles that are named; return how many a gateway of this kind would refuse."""
    refused = 0
    for name in sys.argv[1:]:
        detector, bundle = open_detector(Path(name))
        deviation = check_golden(detector, bundle)
        # A stack of windows goes another way through the runtime than one window.
        stacked = detector.scores(bundle.golden.windows.repeat(8, axis=0))[::8]
        agrees = abs(stacked - bundle.golden.scores).max() <= deviation + 0.05
        refused += not agrees
        how = f"within {deviation:.3f} of the expected scores"
        how += "" if agrees else ", but not as a stack of windows"
        told = f"{platform.machine()} {bundle.manifest.runtime}: {bundle.path.name} {how}\n"
        sys.stdout.write(told)
        sys.stdout.flush()
    return refused


if __name__ == "__main__":
    sys.exit(main())
