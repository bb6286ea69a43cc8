#pragma once
#include <weft/tensor/tensor.h>

/// Convolution and pooling of arrays (N, C, spatial...) without gradients.
namespace weft::kernels {}
