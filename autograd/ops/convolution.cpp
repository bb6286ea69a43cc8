#include <weft/autograd/ops/convolution.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
