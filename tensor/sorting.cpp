#include <weft/tensor/kernels.h>

namespace weft::kernels {}
