#include <weft/tensor/convolution.h>

namespace weft::kernels {}
