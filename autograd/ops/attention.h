#pragma once
#include <weft/tensor/tensor.h>

/// Attention of queries over keys and values.
namespace weft {}
