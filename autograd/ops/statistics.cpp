#include <weft/autograd/ops/statistics.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
