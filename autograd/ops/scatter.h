#pragma once
#include <weft/tensor/tensor.h>

/// Elements picked and placed by index or mask.
namespace weft {}
