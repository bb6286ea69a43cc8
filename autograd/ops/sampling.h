#pragma once
#include <weft/tensor/tensor.h>

/// Images read at other places or other sizes, cut into patches and put together.
namespace weft {}
