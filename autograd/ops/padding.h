#pragma once
#include <weft/tensor/tensor.h>

/// Borders around an array.
namespace weft {}
