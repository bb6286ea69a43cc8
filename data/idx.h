#pragma once
#include <string>

#include <weft/tensor/tensor.h>

namespace weft::data {

/// Reads an IDX file, the form of MNIST and its kin: two zero bytes, a type, the number of axes, their sizes, the
/// numbers, all big-endian; packed by gzip when weft was built with zlib. uint8, int8, int32, float32 and float64
/// stay, int16 becomes int32. Throws FileError naming the file and what is wrong: truncated, trailing bytes, not IDX,
/// an unknown type, no axes or more than 8, damaged gzip. Nothing larger than the file says it holds is allocated.
Tensor load_idx(const std::string& path);

}  // namespace weft::data
