#pragma once
#include <weft/tensor/tensor.h>

/// Order along an axis: sorting, the largest k, places in sorted numbers.
namespace weft {}
