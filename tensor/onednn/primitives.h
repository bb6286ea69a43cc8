#pragma once
#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <dnnl.hpp>

#include <weft/tensor/allocator.h>
#include <weft/tensor/parallel.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/// What every kind of primitive needs: the engine, a bounded store of ready ones, and scratch memory.
namespace weft::kernels::onednn {

inline const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}
inline const dnnl::stream& stream() {
  thread_local const dnnl::stream own(engine());
  return own;
}

/// How many threads a primitive that runs now will use.
inline int threads_now() {
#ifdef _OPENMP
  if (omp_in_parallel()) return 1;
  // The library asks OpenMP how many threads there are.
  if (omp_get_max_threads() != num_threads()) omp_set_num_threads(num_threads());
  return num_threads();
#else
  return 1;
#endif
}

inline dnnl::memory memory_at(const dnnl::memory::desc& d, const void* data) {
  return dnnl::memory(d, engine(), const_cast<void*>(data));
}

/// What a primitive is called with: memory by its role.
template <std::size_t most>
class Arguments {
 public:
  void add(int role, const dnnl::memory::desc& d, const void* data) { add(role, memory_at(d, data)); }
  void add(int role, const dnnl::memory& memory) {
    memory_[count_] = memory;
    each_[count_] = {role, memory_[count_].get()};
    ++count_;
  }
  /// Returns whether it ran.
  bool execute(const dnnl::primitive& primitive) const {
    return dnnl_primitive_execute(primitive.get(), stream().get(), static_cast<int>(count_), each_.data()) ==
           dnnl_success;
  }

 private:
  std::array<dnnl::memory, most> memory_;
  std::array<dnnl_exec_arg_t, most> each_{};
  std::size_t count_ = 0;
};

/// Memory of the allocator.
struct Scratch {
  explicit Scratch(std::size_t n) : data(n ? allocate_memory(n) : nullptr), bytes(n) {}
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    if (data) deallocate_memory(data, bytes);
  }
  void* data;
  std::size_t bytes;
};

/// Copies between layouts, once.
inline void reorder(const dnnl::memory::desc& from, const void* x, const dnnl::memory::desc& to, const void* y) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::reorder::primitive_desc way(engine(), from, engine(), to, attributes);
  const Scratch scratch(way.scratchpad_desc().get_size());
  Arguments<3> arguments;
  arguments.add(DNNL_ARG_FROM, from, x);
  arguments.add(DNNL_ARG_TO, to, y);
  if (scratch.data) arguments.add(DNNL_ARG_SCRATCHPAD, way.scratchpad_desc(), scratch.data);
  if (!arguments.execute(dnnl::reorder(way))) throw dnnl::error(dnnl_runtime_error, "reorder");
}

/// Ready primitives by the numbers that tell one from another, the least recently used dropped when there are too many.
template <std::size_t numbers, class Ready>
class Cache {
 public:
  using Key = std::array<std::int64_t, numbers>;

  template <class Make>
  std::shared_ptr<const Ready> get(const Key& key, Make&& make) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = index_.find(key); found != index_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->second;
      }
    }
    std::shared_ptr<const Ready> made = make();  // without the lock: it may take milliseconds
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) return found->second->second;
    order_.emplace_front(key, made);
    index_[key] = order_.begin();
    if (order_.size() > most) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    return made;
  }

 private:
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      std::uint64_t h = 0x9E3779B97F4A7C15ULL;
      for (const std::int64_t v : key) h = (h ^ static_cast<std::uint64_t>(v)) * 0xff51afd7ed558ccdULL, h ^= h >> 32;
      return static_cast<std::size_t>(h);
    }
  };
  static constexpr std::size_t most = 512;  // about 25 MB
  std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<const Ready>>> order_;
  std::unordered_map<Key, typename decltype(order_)::iterator, Hash> index_;
};

}  // namespace weft::kernels::onednn
