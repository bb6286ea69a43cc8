#pragma once
#include <weft/tensor/tensor.h>

/// Functions of one number: powers, logarithms, trigonometry, rounding, the gamma and error functions.
namespace weft {}
