#pragma once
#include <cstdint>

namespace weft {

/// Threads for one operation; 0 restores the default (OMP_NUM_THREADS or the number of cores).
void set_num_threads(int threads);
int num_threads() noexcept;
/// Bitwise the same results for any number of threads (some operations become slower).
void deterministic(bool on) noexcept;
bool is_deterministic() noexcept;

/// Below this many elements (scaled by their cost) nothing is spread over threads.
inline constexpr std::int64_t grain = 16384;

namespace detail {
void spread(std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t), void* context);
bool worth_spreading(std::int64_t n, std::int64_t grain) noexcept;
}  // namespace detail

/// Calls body(begin, end) on parts of [0, n), each of at least `smallest` items, on all threads; on
/// the caller's thread alone when there is too little to do. Must not be nested; body must not throw.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t smallest, Body&& body) {
  if (n <= 0) return;
  if (!detail::worth_spreading(n, smallest)) {
    body(std::int64_t{0}, n);
    return;
  }
  detail::spread(
      n, smallest,
      [](void* context, std::int64_t begin, std::int64_t end) { (*static_cast<Body*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace weft
