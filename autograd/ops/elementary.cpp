#include <weft/autograd/ops/elementary.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
