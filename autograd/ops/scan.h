#pragma once
#include <weft/tensor/tensor.h>

/// Running results along an axis, and differences.
namespace weft {}
