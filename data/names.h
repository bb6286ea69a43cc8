#pragma once
#include <weft/tensor/names.h>

/// Where code that reads data expects them.
namespace weft::data {

using weft::closest;
using weft::edit_distance;
using weft::matches;
using weft::nearest;

}  // namespace weft::data
