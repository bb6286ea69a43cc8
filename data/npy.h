#pragma once
#include <map>
#include <string>

#include <weft/tensor/tensor.h>

namespace weft::data {

/// Reads NumPy's array file, format versions 1 to 3, either byte order, C or Fortran order (the result is
/// always row-major). bool, int8, uint8, int32, int64, float32 and float64 stay; int16 and uint16 become
/// int32, uint32 and uint64 become int64, float16 becomes float32 (all exact; a uint64 above 2^63 - 1 is an error).
/// Throws FileError naming the file and what is wrong: truncated, trailing bytes, not NPY, an absurd header,
/// more than 8 axes, an element type that has no counterpart (text, objects, complex). Nothing is allocated
/// before the file is known to be long enough.
Tensor load_npy(const std::string& path);

/// Reads NumPy's archive of named arrays (a ZIP with one NPY a member; ".npy" is cut from names). Stored
/// members always, deflated ones when weft was built with zlib. Checksums are checked. Throws FileError
/// naming file and member.
std::map<std::string, Tensor> load_npz(const std::string& path);

/// Writes x as NPY version 1, little-endian, row-major; bfloat16 as float32. All of it or nothing. Throws FileError.
void save_npy(const std::string& path, const Tensor& x);
/// Writes named arrays as NPZ, stored, in the order of their names, byte for byte the same for the same input.
/// Throws FileError; also for an archive above 4 GiB.
void save_npz(const std::string& path, const std::map<std::string, Tensor>& arrays);

/// Whether this build reads deflated NPZ members.
bool have_zlib() noexcept;

}  // namespace weft::data
