#!/usr/bin/env bash
# What a GPU brings: sets up what is missing and prints photos a second beside decoding alone and beside InsightFace, half beside
# single precision, the latency of a photo with 100 faces, memory over 2,000 photos, and whether the self-test held. On a Linux
# machine with an NVIDIA driver the measuring ends within ten minutes; downloads and the build come before it.
#   benches/gpu.sh                                    # CUDA; builds the program
#   BINARY=target/release/rollcall benches/gpu.sh     # the program is there
#   PROVIDER=tensorrt benches/gpu.sh                  # TensorRT, whose own libraries the machine must have
#   PROVIDER=cpu benches/gpu.sh --memory-photos 100   # the same parts on the processor: how the script itself is tested
# Arguments go to benches/gpu.py (--help). What cannot run here is a line "skipped: ..." with its reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
provider=${PROVIDER:-cuda}
python=${PYTHON:-python3}

stop() {
    echo "gpu.sh: $*" >&2
    exit 1
}

case $provider in
cuda | tensorrt)
    nvidia-smi --list-gpus >/dev/null 2>&1 ||
        stop "this machine has no NVIDIA GPU that its driver shows (nvidia-smi --list-gpus), so there is nothing to measure"
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
    "$python" deploy/setup-runtime.py --gpu || stop "ONNX Runtime for GPUs is not there"
    ;;
cpu) "$python" deploy/setup-runtime.py || stop "ONNX Runtime is not there" ;;
*) stop "PROVIDER is $provider, it must be cuda, tensorrt or cpu" ;;
esac

binary=${BINARY:-target/release/rollcall}
if [ -z "${BINARY:-}" ]; then
    "${CARGO:-cargo}" build --release --bin rollcall || stop "the program does not build; name one with BINARY=FILE"
fi
[ -x "$binary" ] || stop "there is no program $binary"

exec "$python" benches/gpu.py --binary "$binary" --provider "$provider" "$@"
