#pragma once
#include <weft/tensor/tensor.h>

/// Factorisations of matrices, through Eigen, without gradients. Batches of them: (..., n, m).
namespace weft::kernels {}
