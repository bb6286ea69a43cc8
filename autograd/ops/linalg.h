#pragma once
#include <weft/tensor/tensor.h>

/// Linear algebra on matrices (..., n, m) and batches of them.
namespace weft {}
