#!/usr/bin/env bash
# What MASSTrainer needs at full size on a GPU: memory, time of a step against two of stock nnU-Net's with and without
# compilation, and a short training of both to the end.
#
#     bash experiments/gpu.sh work/gpu            # planned for a quarter of an hour; goes on if it is started again
#     DEVICE=cpu bash experiments/gpu.sh work/try --patch-size 16 48 48 --size 24 64 64 --features 4 --epochs 1 --iterations 2
#
# Options after the folder go to low_label.py. The plan's estimate of memory is in the first lines; measured peaks follow.
set -euo pipefail

work=$1
device=${DEVICE:-cuda}
here=$(dirname "$0")

python "$here/low_label.py" "$work" --device "$device" --methods SupervisedTrainer MASSTrainer --inference segmentation \
    --seeds 1 --label-rates 0.25 --train-scans 8 --val-scans 1 --test-scans 2 \
    --patch-size 32 256 256 --size 40 288 288 --features 32 --epochs 4 --iterations 50 "${@:2}"
for compile in f t; do
    echo "nnUNet_compile=$compile"
    nnUNet_compile=$compile python "$here/speed.py" "$work/phantom" --device "$device" --repeats 3
done
