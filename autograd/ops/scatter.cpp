#include <weft/autograd/ops/scatter.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
