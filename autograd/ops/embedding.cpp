#include <weft/autograd/ops/embedding.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
