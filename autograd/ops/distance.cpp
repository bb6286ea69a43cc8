#include <weft/autograd/ops/distance.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
