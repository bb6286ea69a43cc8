#include <weft/autograd/ops/attention.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
