#include <weft/autograd/ops/padding.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
