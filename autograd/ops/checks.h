#pragma once
#include <cstdint>
#include <string_view>

#include <weft/tensor/tensor.h>

/// Checks that several operations share. Not for users.
namespace weft::detail {

/// Throws ConfigError at the first class number (int64) outside [0, classes). What is `ignored` passes.
void check_classes(std::string_view op, const Tensor& target, std::int64_t classes, std::int64_t ignored = 0);

}  // namespace weft::detail
