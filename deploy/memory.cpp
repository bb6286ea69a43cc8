#include <weft/deploy/memory.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include <weft/tensor/allocator.h>
#include <weft/tensor/pool.h>

namespace weft::deploy {
namespace {

constexpr std::size_t alignment = 64;
std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

void destroy_placed(Storage* s) { pool::deallocate(s, sizeof(Storage)); }

}  // namespace

struct MemoryWatch::Notes {
  struct Life {
    std::size_t bytes;
    std::int64_t made, freed;
  };
  struct Noted : Storage {
    std::shared_ptr<Notes> notes;
    std::size_t index;
  };
  static constexpr std::int64_t lives = -1;
  std::vector<Life> all;
  std::int64_t now = 0;

  static void destroy(Storage* s) {
    auto* noted = static_cast<Noted*>(s);
    Notes& notes = *noted->notes;
    notes.all[noted->index].freed = notes.now++;
    deallocate_memory(noted->data, noted->bytes);
    delete noted;
  }
};

MemoryWatch::MemoryWatch() : notes_(std::make_shared<Notes>()), outer_(std::exchange(storage_source, this)) {}
MemoryWatch::~MemoryWatch() { storage_source = outer_; }

Storage* MemoryWatch::allocate(std::size_t bytes) {
  void* data = allocate_memory(bytes);
  auto* s = new Notes::Noted;
  s->data = data;
  s->bytes = bytes;
  s->destroy = &Notes::destroy;
  s->notes = notes_;
  s->index = notes_->all.size();
  notes_->all.push_back({bytes, notes_->now++, Notes::lives});
  return s;
}

MemoryPlan MemoryWatch::plan() const {
  const auto& all = notes_->all;
  MemoryPlan plan;
  for (const auto& life : all) plan.places.push_back({life.bytes, MemoryPlan::apart});
  // The largest first, each at the lowest place that is free for as long as it lives (Pisarchyk & Lee 2020, greedy by
  // size).
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return all[a].bytes > all[b].bytes; });
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t i : order) {
    if (all[i].freed == Notes::lives || all[i].bytes == 0) continue;
    std::size_t at = 0;
    for (const std::size_t k : placed) {
      if (all[k].freed < all[i].made || all[i].freed < all[k].made) continue;  // never at the same time
      const std::size_t from = plan.places[k].offset;
      if (at + aligned(all[i].bytes) <= from) break;
      at = std::max(at, from + aligned(all[k].bytes));
    }
    plan.places[i].offset = at;
    plan.bytes = std::max(plan.bytes, at + aligned(all[i].bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), at,
                                   [&](std::size_t offset, std::size_t k) { return offset < plan.places[k].offset; }),
                  i);
  }
  return plan;
}

MemoryBlock::MemoryBlock(std::size_t bytes) : data_(bytes ? allocate_memory(bytes) : nullptr), bytes_(bytes) {}
MemoryBlock::~MemoryBlock() {
  if (data_) deallocate_memory(data_, bytes_);
}

std::unique_ptr<MemoryBlock> MemoryPool::take(std::size_t bytes) {
  {
    const std::scoped_lock lock(mutex_);
    const auto fits = std::find_if(blocks_.begin(), blocks_.end(), [&](const auto& b) { return b->bytes() >= bytes; });
    // One that is too small makes room for its successor.
    const auto found = fits == blocks_.end() && !blocks_.empty() ? blocks_.end() - 1 : fits;
    if (found != blocks_.end()) {
      std::unique_ptr<MemoryBlock> block = std::move(*found);
      blocks_.erase(found);
      if (block->bytes() >= bytes) return block;
    }
  }
  return std::make_unique<MemoryBlock>(bytes);
}

void MemoryPool::give(std::unique_ptr<MemoryBlock> block) {
  const std::scoped_lock lock(mutex_);
  blocks_.push_back(std::move(block));
}

MemoryUse::MemoryUse(const MemoryPlan& plan, MemoryBlock& block) noexcept
    : plan_(plan), data_(static_cast<char*>(block.data_)), outer_(std::exchange(storage_source, this)) {}

Storage* MemoryUse::allocate(std::size_t bytes) {
  if (next_ >= plan_.places.size() || plan_.places[next_].bytes != bytes) {
    next_ = lost;
    return nullptr;
  }
  const MemoryPlan::Place& place = plan_.places[next_++];
  if (place.offset == MemoryPlan::apart) return nullptr;
  auto* s = new (pool::allocate(sizeof(Storage))) Storage;
  s->data = data_ + place.offset;
  s->bytes = bytes;
  s->destroy = destroy_placed;
  return s;
}

}  // namespace weft::deploy
