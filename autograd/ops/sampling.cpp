#include <weft/autograd/ops/sampling.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
