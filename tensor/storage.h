#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft {

/// Counted memory of tensors. Views share it; `version` counts in-place changes, so that the tape
/// can tell when something it saved has changed since. Thread safety: the count is atomic, the
/// contents and the version are the users' to guard.
struct Storage {
  std::atomic<std::uint32_t> refs{1};
  std::uint32_t version = 0;
  void* data = nullptr;
  std::size_t bytes = 0;
  /// Frees the whole object (and what it owns) once the count is zero.
  void (*destroy)(Storage*) = nullptr;

  /// `bytes` of uninitialised memory, aligned to 64 bytes.
  static Storage* allocate(std::size_t bytes);
  /// Memory of someone else's: `release(context)` is called when the last tensor is gone.
  static Storage* adopt(void* data, std::size_t bytes, void (*release)(void*), void* context);

  void retain() noexcept { refs.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    // A sole owner needs no atomic read-modify-write: nobody else can hold a reference to copy from.
    if (refs.load(std::memory_order_acquire) == 1 || refs.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(this);
  }
};

/// Where the memory of this thread's tensors comes from while it is set: a program with planned memory places them.
class StorageSource {
 public:
  /// A storage of that size; null: as usual.
  virtual Storage* allocate(std::size_t bytes) = 0;

 protected:
  ~StorageSource() = default;
};
extern constinit thread_local StorageSource* storage_source;

}  // namespace weft
