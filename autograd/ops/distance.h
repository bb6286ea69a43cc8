#pragma once
#include <weft/tensor/tensor.h>

/// Distances and similarities between rows.
namespace weft {}
