#pragma once
#include <weft/tensor/tensor.h>

/// Rows of a table picked by number.
namespace weft {}
