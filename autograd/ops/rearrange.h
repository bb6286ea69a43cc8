#pragma once
#include <weft/tensor/tensor.h>

/// Elements in another order or repeated: flips, rolls, tiles, diagonals, triangles.
namespace weft {}
