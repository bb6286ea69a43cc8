#!/bin/sh
# old_cpu.sh BUILD: the same binary under an emulated CPU of 2008 (no AVX), where only the lowest level may run.
# WEFT_EMULATOR names the emulator. Fails when an instruction of a higher level is reached (illegal instruction).
set -eu
build=$1
emulator=${WEFT_EMULATOR:-qemu-x86_64 -cpu Nehalem}
# shellcheck disable=SC2086  # a command with its options
$emulator "$build/tests/unit" --minimal
