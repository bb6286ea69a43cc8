#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <weft/tensor/storage.h>

/// One block of memory for all tensors of a program's run: a run that is watched tells how large each is and how long
/// it lives, and those that do not live at the same time share their place.
namespace weft::deploy {

/// Where the tensors of a run lie, in the order in which they are made.
struct MemoryPlan {
  static constexpr std::size_t apart = ~std::size_t{0};  ///< not in the block: it outlives the run
  struct Place {
    std::size_t bytes, offset;
  };
  std::vector<Place> places;
  std::size_t bytes = 0;  ///< of the block
};

/// While it lives, notes what this thread allocates and frees.
class MemoryWatch final : public StorageSource {
 public:
  MemoryWatch();
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  /// The plan of what was noted; what still lives is placed apart.
  MemoryPlan plan() const;

 private:
  Storage* allocate(std::size_t bytes) override;
  struct Notes;
  std::shared_ptr<Notes> notes_;
  StorageSource* outer_;
};

/// Memory for a plan; one run at a time.
class MemoryBlock {
 public:
  explicit MemoryBlock(std::size_t bytes);
  ~MemoryBlock();
  MemoryBlock(const MemoryBlock&) = delete;
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  friend class MemoryUse;
  void* data_;
  std::size_t bytes_;
};

/// Blocks that are not in use, for all plans of a program: as many as there ever were callers at once. From several
/// threads.
class MemoryPool {
 public:
  /// A block of at least that size.
  std::unique_ptr<MemoryBlock> take(std::size_t bytes);
  void give(std::unique_ptr<MemoryBlock> block);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<MemoryBlock>> blocks_;
};

/// While it lives, this thread's tensors lie where the plan says. A run that allocates otherwise than the one that was
/// watched gets ordinary memory from there on.
class MemoryUse final : public StorageSource {
 public:
  MemoryUse(const MemoryPlan& plan, MemoryBlock& block) noexcept;
  ~MemoryUse() { storage_source = outer_; }
  MemoryUse(const MemoryUse&) = delete;
  /// Whether every tensor so far lay where it was planned.
  bool as_planned() const noexcept { return next_ != lost; }

 private:
  static constexpr std::size_t lost = ~std::size_t{0};
  Storage* allocate(std::size_t bytes) override;
  const MemoryPlan& plan_;
  char* data_;
  std::size_t next_ = 0;
  StorageSource* outer_;
};

}  // namespace weft::deploy
