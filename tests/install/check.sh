#!/bin/sh
# check.sh BUILD CONSUMER.cpp COMPILER...: installs into an empty folder, builds the consumer against it, and runs it.
set -eu
build=$1
consumer=$2
shift 2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
meson install -C "$build" --no-rebuild --quiet --destdir "$place/root"

pc=$(find "$place/root" -name weft.pc)
[ -n "$pc" ] || { echo 'weft.pc was not installed'; exit 1; }
prefix=$(sed -n 's/^prefix=//p' "$pc")
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
flags=$(pkg-config --define-variable=prefix="$place/root$prefix" --cflags --libs weft)
echo "flags: $flags"
[ -f "$place/root$prefix/include/weft/tensor/tensor.h" ] || { echo 'headers are not under include/weft'; exit 1; }

cd "$place"
# shellcheck disable=SC2086  # a list of flags
"$@" -std=c++20 -Wall -Wextra -Werror "$consumer" -o consumer $flags
./consumer

# The program at the top of docs/fusion.md, as a reader would paste it: the weight of the note that is not there is 0.
# shellcheck disable=SC2016  # the fences of the page
sed -n '/^```cpp/,/^```/{/^```/!p;/^```$/q}' "$(dirname "$consumer")/../../docs/fusion.md" > pasted.cpp
# shellcheck disable=SC2086
"$@" -std=c++20 -Wall -Wextra -Werror pasted.cpp -o pasted $flags
./pasted | tee pasted.txt
grep -q '1, *0\]' pasted.txt || { echo 'docs/fusion.md: the weights are not 1 and 0'; exit 1; }
