#pragma once
#include <weft/tensor/tensor.h>

/// Windows of an image reduced to one number each.
namespace weft {}
