#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace weft::tests {

/// Reads `bytes` as a call of some operation: a sample of its record with other shapes, types, layouts, numbers and
/// options. Runs it, and its backward, at every instruction-set level with and without oneDNN. The results must agree
/// with those of the plainest level, or all throw the same weft::Error. Returns what is wrong, or nothing.
/// `only` names the one operation to try, if not empty.
std::string try_bytes(const std::uint8_t* bytes, std::size_t count, const std::string& only = {});

/// How many calls gave a result, and how many a weft::Error.
struct FuzzCounts {
  std::int64_t computed = 0, refused = 0;
};
const FuzzCounts& fuzz_counts();

/// The call that try_bytes() is at work on, for the report of a crash.
const std::string& call_under_test();

}  // namespace weft::tests
