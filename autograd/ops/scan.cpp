#include <weft/autograd/ops/scan.h>

#include <weft/autograd/ops/shared.h>

namespace weft {}
