#include <weft/autograd/ops/pooling.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
