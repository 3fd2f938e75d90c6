"""What each dependency of the gateway costs: import time, memory and disk, each in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

IMPORTS = {
    "numpy": "numpy",
    "tflite-runtime": "tflite_runtime.interpreter",
    "smbus2": "smbus2",
    "paho-mqtt": "paho.mqtt.client",
    "click": "click",
    "pynacl": "nacl.signing",
    "protobuf": "agent.uplink.sparkplug_payload",
}
"""Distribution to the module that judder imports."""

PROBE = """
import os, sys, time
if sys.argv[1] != "numpy":
    import numpy
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
memory, begin = resident_mb(), time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - begin, resident_mb() - memory)
"""


def cost(module: str) -> tuple[float, float]:
    """Return import time in ms and resident memory in MB of a module, numpy being loaded already."""
    runs = [
        subprocess.check_output([sys.executable, "-c", PROBE, module], text=True).split() for _ in range(3)
    ]
    return min(float(run[0]) for run in runs) * 1000, min(float(run[1]) for run in runs)


def disk_mb(distribution: str) -> float:
    """Return the size of a distribution's files in MB."""
    files = metadata.files(distribution) or []
    paths = (Path(str(file.locate())) for file in files)
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def main() -> None:
    """Print a row per dependency."""
    print("dependency of the gateway      version     import ms   memory MB   disk MB")
    for distribution, module in IMPORTS.items():
        import_ms, memory_mb = cost(module)
        version = metadata.version(distribution)
        size = disk_mb(distribution)
        print(f"  {distribution:<28} {version:<10} {import_ms:9.1f} {memory_mb:11.1f} {size:9.1f}")


if __name__ == "__main__":
    main()
