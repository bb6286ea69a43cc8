#pragma once
#include <weft/tensor/tensor.h>

/// Spread, correlation and counts.
namespace weft {}
