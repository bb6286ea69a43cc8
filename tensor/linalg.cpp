#include <weft/tensor/linalg.h>

#include <Eigen/Dense>

namespace weft::kernels {}
