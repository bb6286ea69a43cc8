#include <weft/autograd/ops/sorting.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
