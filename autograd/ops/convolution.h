#pragma once
#include <weft/tensor/tensor.h>

/// Convolutions in one, two and three dimensions.
namespace weft {}
