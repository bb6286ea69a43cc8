#pragma once
#include <cstddef>
#include <cstdint>

/// The caching allocator behind every tensor: 64-byte-aligned blocks. Small ones come from
/// thread-local free lists, large ones from huge-page arenas whose free space is kept, so that a
/// training step after the first touches no fresh page.
namespace weft {

struct MemoryStatistics {
  std::size_t live = 0;      ///< bytes in blocks that are in use
  std::size_t peak = 0;      ///< the highest `live` since the start or reset_peak_memory()
  std::size_t cached = 0;    ///< bytes held for reuse
  std::size_t reserved = 0;  ///< bytes mapped from the system
};

/// Figures over all threads.
MemoryStatistics memory_statistics();
void reset_peak_memory();
/// Gives free large blocks back to the system once more than `bytes` of them are cached
/// (default 2 GiB; 0 gives back at once).
void set_memory_cache_limit(std::size_t bytes);
/// Gives all whole free arenas back now.
void release_cached_memory();

/// Raw interface. `bytes` at deallocation must be what was asked for. allocate() throws
/// std::bad_alloc when the system has no more.
void* allocate_memory(std::size_t bytes);
void deallocate_memory(void* block, std::size_t bytes) noexcept;

}  // namespace weft
