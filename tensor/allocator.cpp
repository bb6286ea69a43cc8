#include <weft/tensor/allocator.h>

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <set>

#include <weft/tensor/pool.h>

namespace weft {
namespace pool {

constinit thread_local Bins bins{};

namespace {

constexpr std::size_t medium_limit = std::size_t{256} << 10;  // up to here: size classes, above: best fit
constexpr std::size_t page = 4096;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t arena_bytes = std::size_t{64} << 20;
constexpr std::size_t slab_bytes = std::size_t{512} << 10;  // what a size class carves its blocks from

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

/// Size classes: multiples of 64 up to 1 KiB, then four steps per doubling.
int class_of(std::size_t bytes) {
  if (bytes <= small_limit) return static_cast<int>((bytes + step - 1) / step);
  int doubling = 0;
  std::size_t top = small_limit;
  while (top * 2 < bytes) {
    top *= 2;
    ++doubling;
  }
  const std::size_t quarter = top / 4;
  return small_classes + 4 * doubling + static_cast<int>((bytes - top + quarter - 1) / quarter) - 1;
}
std::size_t class_bytes(int c) {
  if (c < small_classes) return static_cast<std::size_t>(c == 0 ? 1 : c) * step;
  const int doubling = (c - small_classes) / 4;
  const std::size_t top = small_limit << doubling;
  return top + top / 4 * static_cast<std::size_t>((c - small_classes) % 4 + 1);
}

/// Blocks above 256 KiB: best fit with coalescing inside huge-page arenas. One mutex is enough:
/// such blocks take far longer to fill than to find.
class Arenas {
 public:
  void* take(std::size_t bytes) {
    bytes = round_up(bytes, page);
    auto fit = free_.lower_bound({bytes, nullptr});
    if (fit == free_.end()) {
      map_arena(bytes);
      fit = free_.lower_bound({bytes, nullptr});
    }
    char* at = fit->second;
    const std::size_t size = fit->first;
    free_.erase(fit);
    cached_ -= size;
    Block& block = blocks_.at(at);
    block.free = false;
    if (size > bytes) {  // the rest stays free
      block.size = bytes;
      blocks_.emplace(at + bytes, Block{size - bytes, block.arena, true});
      free_.insert({size - bytes, at + bytes});
      cached_ += size - bytes;
    }
    return at;
  }

  void give(void* pointer) {
    auto it = blocks_.find(static_cast<char*>(pointer));
    it->second.free = true;
    cached_ += it->second.size;
    auto next = std::next(it);
    if (next != blocks_.end() && next->second.free && next->second.arena == it->second.arena) {
      free_.erase({next->second.size, next->first});
      it->second.size += next->second.size;
      blocks_.erase(next);
    }
    if (it != blocks_.begin()) {
      auto previous = std::prev(it);
      if (previous->second.free && previous->second.arena == it->second.arena) {
        free_.erase({previous->second.size, previous->first});
        previous->second.size += it->second.size;
        blocks_.erase(it);
        it = previous;
      }
    }
    free_.insert({it->second.size, it->first});
    if (cached_ > limit_) unmap_free();
  }

  void set_limit(std::size_t bytes) {
    limit_ = bytes;
    if (cached_ > limit_) unmap_free();
  }

  void unmap_free() {
    for (auto a = arenas_.begin(); a != arenas_.end();) {
      auto block = blocks_.find(a->first);
      if (block->second.free && block->second.size == a->second) {
        free_.erase({block->second.size, block->first});
        cached_ -= a->second;
        reserved_ -= a->second;
        blocks_.erase(block);
        munmap(a->first, a->second);
        a = arenas_.erase(a);
      } else {
        ++a;
      }
    }
  }
  std::size_t cached() const { return cached_; }
  std::size_t reserved() const { return reserved_; }

 private:
  struct Block {
    std::size_t size;
    char* arena;
    bool free;
  };

  void map_arena(std::size_t bytes) {
    const std::size_t size = round_up(bytes > arena_bytes ? bytes : arena_bytes, huge_page);
    if (size < bytes) throw std::bad_alloc();
    // Ask for one huge page more and cut both ends off, so that the arena begins on a huge page.
    void* raw =
        mmap(nullptr, size + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) throw std::bad_alloc();
    char* begin = static_cast<char*>(raw);
    char* aligned = begin + (huge_page - reinterpret_cast<std::uintptr_t>(begin) % huge_page) % huge_page;
    if (aligned != begin) munmap(begin, static_cast<std::size_t>(aligned - begin));
    const std::size_t tail = static_cast<std::size_t>(begin + size + huge_page - (aligned + size));
    if (tail != 0) munmap(aligned + size, tail);
    madvise(aligned, size, MADV_HUGEPAGE);
    arenas_.emplace(aligned, size);
    blocks_.emplace(aligned, Block{size, aligned, true});
    free_.insert({size, aligned});
    cached_ += size;
    reserved_ += size;
  }

  std::map<char*, Block> blocks_;
  std::map<char*, std::size_t> arenas_;
  std::set<std::pair<std::size_t, char*>> free_;
  std::size_t cached_ = 0, reserved_ = 0, limit_ = std::size_t{2} << 30;
};

/// What all threads share. Never destroyed: tensors in static variables may outlive any order.
struct Shared {
  std::mutex mutex;
  Arenas arenas;
  void* head[classes] = {};
  char* slab = nullptr;
  std::size_t slab_left = 0;
  std::atomic<std::int64_t> live{0}, peak{0};
};
Shared& shared() {
  static Shared* const s = new Shared;
  return *s;
}

void publish_live(std::int64_t bytes) {
  Shared& s = shared();
  const std::int64_t now = s.live.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::int64_t peak = s.peak.load(std::memory_order_relaxed);
  while (now > peak && !s.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}
/// Hands a dying thread's blocks to the others.
struct ThreadExit {
  bool armed = false;
  ~ThreadExit() {
    Shared& s = shared();
    const std::lock_guard lock(s.mutex);
    for (int c = 0; c < classes; ++c)
      while (void* block = bins.head[c]) {
        bins.head[c] = *static_cast<void**>(block);
        *static_cast<void**>(block) = s.head[c];
        s.head[c] = block;
      }
    for (auto& n : bins.count) n = 0;
    publish_live(bins.live);
    bins.live = 0;
  }
};
thread_local ThreadExit thread_exit;

void count_live(std::int64_t bytes) {
  constexpr std::int64_t often = 64 << 10;  // the global figure lags by at most this much per thread
  thread_exit.armed = true;                 // constructs it: what this thread counted is added up at its end
  bins.live += bytes;
  if (bins.live > often || bins.live < -often) {
    publish_live(bins.live);
    bins.live = 0;
  }
}

/// How many free blocks of a class one thread keeps: about a megabyte, at least eight.
std::uint32_t keep(int c) {
  const std::size_t n = (std::size_t{1} << 20) / class_bytes(c);
  return n < 8 ? 8 : static_cast<std::uint32_t>(n);
}

}  // namespace

void* allocate_slow(std::size_t bytes) {
  if (bytes == 0) bytes = 1;
  if constexpr (bypass) {
    void* block = std::aligned_alloc(step, round_up(bytes, step));
    if (!block) throw std::bad_alloc();
    count_live(static_cast<std::int64_t>(round_up(bytes, step)));
    return block;
  }
  if (bytes > medium_limit) {
    Shared& s = shared();
    void* block;
    {
      const std::lock_guard lock(s.mutex);
      block = s.arenas.take(bytes);
    }
    count_live(static_cast<std::int64_t>(round_up(bytes, page)));
    return block;
  }
  const int c = class_of(bytes);
  const std::size_t size = class_bytes(c);
  count_live(static_cast<std::int64_t>(size));
  if (void* block = bins.head[c]) {
    bins.head[c] = *static_cast<void**>(block);
    --bins.count[c];
    return block;
  }
  thread_exit.armed = true;  // constructs it, so that this thread's blocks are handed on at its end
  Shared& s = shared();
  const std::lock_guard lock(s.mutex);
  if (void* block = s.head[c]) {
    s.head[c] = *static_cast<void**>(block);
    return block;
  }
  if (s.slab_left < size) {
    s.slab = static_cast<char*>(s.arenas.take(slab_bytes));  // what was left is too small to keep track of
    s.slab_left = slab_bytes;
  }
  // Small classes are carved eight at a time: the lock is taken that much less often.
  void* block = s.slab;
  s.slab += size;
  s.slab_left -= size;
  if (size <= small_limit)
    for (int i = 0; i < 7 && s.slab_left >= size; ++i) {
      *reinterpret_cast<void**>(s.slab) = bins.head[c];
      bins.head[c] = s.slab;
      ++bins.count[c];
      s.slab += size;
      s.slab_left -= size;
    }
  return block;
}

void deallocate_slow(void* block, std::size_t bytes) noexcept {
  if (!block) return;
  if (bytes == 0) bytes = 1;
  if constexpr (bypass) {
    std::free(block);
    count_live(-static_cast<std::int64_t>(round_up(bytes, step)));
    return;
  }
  Shared& s = shared();
  if (bytes > medium_limit) {
    count_live(-static_cast<std::int64_t>(round_up(bytes, page)));
    const std::lock_guard lock(s.mutex);
    s.arenas.give(block);
    return;
  }
  const int c = class_of(bytes);
  count_live(-static_cast<std::int64_t>(class_bytes(c)));
  if (bins.count[c] < keep(c)) {
    *static_cast<void**>(block) = bins.head[c];
    bins.head[c] = block;
    ++bins.count[c];
    return;
  }
  const std::lock_guard lock(s.mutex);
  *static_cast<void**>(block) = s.head[c];
  s.head[c] = block;
}

}  // namespace pool

void* allocate_memory(std::size_t bytes) { return pool::allocate(bytes); }
void deallocate_memory(void* block, std::size_t bytes) noexcept { pool::deallocate(block, bytes); }

MemoryStatistics memory_statistics() {
  pool::publish_live(pool::bins.live);
  pool::bins.live = 0;
  pool::Shared& s = pool::shared();
  const std::lock_guard lock(s.mutex);
  MemoryStatistics m;
  const std::int64_t live = s.live.load(), peak = s.peak.load();
  m.live = static_cast<std::size_t>(live > 0 ? live : 0);
  m.peak = static_cast<std::size_t>(peak > 0 ? peak : 0);
  m.cached = s.arenas.cached();
  m.reserved = s.arenas.reserved();
  return m;
}

void reset_peak_memory() {
  pool::Shared& s = pool::shared();
  s.peak.store(s.live.load());
}

void set_memory_cache_limit(std::size_t bytes) {
  pool::Shared& s = pool::shared();
  const std::lock_guard lock(s.mutex);
  s.arenas.set_limit(bytes);
}

void release_cached_memory() {
  pool::Shared& s = pool::shared();
  const std::lock_guard lock(s.mutex);
  s.arenas.unmap_free();
}

}  // namespace weft
