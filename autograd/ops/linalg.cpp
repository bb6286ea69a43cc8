#include <weft/autograd/ops/linalg.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
