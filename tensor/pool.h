#pragma once
#include <cstddef>
#include <cstdint>

/// The fast path of the allocator, inline because a tensor operation of a few numbers costs about
/// twenty nanoseconds in all: a thread-local free list per size class.
namespace weft::pool {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool bypass = true;  // let the sanitizer see every block
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool bypass = true;
#else
inline constexpr bool bypass = false;
#endif
#else
inline constexpr bool bypass = false;
#endif

inline constexpr std::size_t step = 64;           ///< size step and alignment of small blocks
inline constexpr std::size_t small_limit = 1024;  ///< largest block served inline
inline constexpr int small_classes = small_limit / step + 1;
inline constexpr int classes = small_classes + 32;  ///< then four per doubling, up to 256 KiB

/// Free blocks of this thread, chained through their first word.
struct Bins {
  void* head[classes];
  std::uint32_t count[classes];
  std::int64_t live;  ///< bytes not yet added to the global figure
};
extern constinit thread_local Bins bins;

void* allocate_slow(std::size_t bytes);
void deallocate_slow(void* block, std::size_t bytes) noexcept;

inline void* allocate(std::size_t bytes) {
  if (!bypass && bytes <= small_limit) {
    const std::size_t c = (bytes + step - 1) / step;
    if (void* block = bins.head[c]) {
      bins.head[c] = *static_cast<void**>(block);
      --bins.count[c];
      bins.live += static_cast<std::int64_t>(c * step);
      return block;
    }
  }
  return allocate_slow(bytes);
}

inline void deallocate(void* block, std::size_t bytes) noexcept {
  constexpr std::uint32_t keep = 4096;  // beyond this, blocks go to the shared list
  if (!bypass && bytes <= small_limit) {
    const std::size_t c = (bytes + step - 1) / step;
    if (bins.count[c] < keep) {
      *static_cast<void**>(block) = bins.head[c];
      bins.head[c] = block;
      ++bins.count[c];
      bins.live -= static_cast<std::int64_t>(c * step);
      return;
    }
  }
  deallocate_slow(block, bytes);
}

}  // namespace weft::pool
