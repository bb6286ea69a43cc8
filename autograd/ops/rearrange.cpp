#include <weft/autograd/ops/rearrange.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
