#!/usr/bin/env bash
# Fit a bundle of every architecture, and score its golden windows with the wheels of ARM under emulation: some
# crashes of the runtime happen on ARM only. Then record a simulated sensor there and replay it: 32 bits, and the
# oldest numpy that judder takes, have surprises of their own.
# Usage: check.sh FOLDER; needs root for mmdebstrap, and qemu-user-static.
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1/bundles"
work=$(cd "$1" && pwd)
bin=$repo/.venv/bin
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -1)

# A tree of Debian's Python for the architecture, without running any of its scripts. PyPI has no numpy for armv7l.
tree() {
    [ -x "$work/$1/usr/bin/python3.11" ] && return
    mmdebstrap --quiet --variant=extract --architectures="$1" --skip=check/qemu \
        --include=python3,libpython3-stdlib,libstdc++6,zlib1g,libgcc-s1,python3-numpy \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' \
        bookworm "$work/$1" "$mirror"
}

# wheels ARCHITECTURE PLATFORM...: the runtime as a gateway of that architecture installs it.
wheels() {
    local architecture=$1 platforms=()
    shift
    for platform in "$@"; do platforms+=(--platform "$platform"); done
    "$bin/python" -m pip download --quiet --no-deps --only-binary=:all: --python-version 311 "${platforms[@]}" \
        --dest "$work/$architecture-wheels" 'tflite-runtime==2.14.*'
    "$bin/python" -m zipfile -e "$work/$architecture-wheels"/*.whl "$work/$architecture-packages"
}

# What the gateway needs besides is Python and nothing else.
plain() {
    [ -d "$work/plain" ] || "$bin/python" -m pip install --quiet --no-deps --no-compile --target "$work/plain" \
        $(sed -n -E 's/^(click|paho-mqtt|smbus2)==([^ ]+).*/\1==\2/p' "$repo/requirements/gateway.lock")
}

fit() {
    [ -e "$work/bundles/$1-1.judder" ] || "$bin/judder-train" fit "$work/healthy.wav" --folds 3 \
        --out "$work/bundles/$1-1.judder" "${@:2}" >/dev/null
}

tree arm64
tree armhf
wheels arm64 manylinux_2_34_aarch64 manylinux2014_aarch64
wheels armhf manylinux_2_34_armv7l

[ -e "$work/healthy.wav" ] || "$bin/judder" record --bus sim:press --chip lsm6dso --signal rotor --rate 208 \
    --seconds 60 --out "$work/healthy.wav"
fit patches
for mode in int8 float16 float32 dynamic; do
    fit "dense-$mode" --arch dense --quantize "$mode" --epochs 5
done
fit spectral --arch spectral --units 16 --epochs 5
fit conv --arch conv --epochs 5
fit lstm --arch lstm --units 2x8 --window 32 --epochs 2
fit lstm-float --arch lstm --units 2x8 --window 256 --quantize float16 --epochs 1
fit lstm-bottleneck --arch lstm-bottleneck --units 8,4 --window 32 --epochs 2
fit vae --arch vae --epochs 5
for view in window time feature; do
    fit "pca-$view" --arch pca --view "$view" --components 2
done

# python ARCHITECTURE EMULATOR TRIPLET ARGUMENT...
python() {
    local root=$work/$1 emulator=$2 libraries=$work/$1/usr/lib/$3
    shift 3
    PYTHONHOME="$root/usr" PYTHONPATH="$repo:$root-packages:$root/usr/lib/python3/dist-packages:$work/plain" \
        "$emulator" -E "LD_LIBRARY_PATH=$libraries/blas:$libraries/lapack" -L "$root" \
        "$root/usr/bin/python3.11" -B "$@"
}

judge() {
    local command='from agent.cli.main import main; main()' recording=$work/$1.wav
    python "$@" "$repo/tests/arm/judge.py" "$work"/bundles/*.judder
    rm -f "$recording"
    python "$@" -c "$command" record --bus sim:press --chip lsm6dso --signal rotor --rate 208 --seconds 5 \
        --out "$recording"
    python "$@" -c "$command" replay "$recording" --model "$work/bundles/patches-1.judder"
}
plain
judge arm64 qemu-aarch64-static aarch64-linux-gnu
judge armhf qemu-arm-static arm-linux-gnueabihf
