#include <weft/tensor/onednn/onednn.h>

#include <array>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include <dnnl.hpp>

#include <weft/tensor/allocator.h>
#include <weft/tensor/parallel.h>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace weft::kernels::onednn {
namespace {

using Int = std::int64_t;

/// Everything that tells one primitive from another.
using Key = std::array<Int, 10>;
struct Hash {
  std::size_t operator()(const Key& key) const noexcept {
    std::uint64_t h = 0x9E3779B97F4A7C15ULL;
    for (const Int v : key) h = (h ^ static_cast<std::uint64_t>(v)) * 0xff51afd7ed558ccdULL, h ^= h >> 32;
    return static_cast<std::size_t>(h);
  }
};

/// A primitive ready to run. Its scratch memory is the caller's, so threads may share it.
struct Ready {
  dnnl::matmul primitive;
  dnnl::memory::desc a, b, c, bias, scratch;
  const char* name = "";
  bool usable = false;
};

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

std::shared_ptr<const Ready> make(const Matmul& p) {
  auto r = std::make_shared<Ready>();
  try {
    using Desc = dnnl::memory::desc;
    constexpr auto f32 = dnnl::memory::data_type::f32;
    r->a = Desc({p.m, p.k}, f32, dnnl::memory::dims{p.row_a, p.column_a});
    r->b = Desc({p.k, p.n}, f32, dnnl::memory::dims{p.row_b, p.column_b});
    r->c = Desc({p.m, p.n}, f32, dnnl::memory::dims{p.ld_c, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (p.bias) r->bias = Desc({1, p.n}, f32, dnnl::memory::dims{p.n, 1});
    const auto description =
        p.bias ? dnnl::matmul::desc(r->a, r->b, r->bias, r->c) : dnnl::matmul::desc(r->a, r->b, r->c);
    const dnnl::matmul::primitive_desc chosen(description, attributes, engine());
    r->scratch = chosen.scratchpad_desc();
    r->primitive = dnnl::matmul(chosen);
    // The name belongs to the primitive, which lives as long as the entry.
    dnnl_primitive_desc_query(r->primitive.get_primitive_desc(), dnnl_query_impl_info_str, 0, &r->name);
    r->usable = std::strncmp(r->name, "ref", 3) != 0;  // the reference implementation is far slower than weft's own
  } catch (const dnnl::error&) {
    r->usable = false;
  }
  return r;
}

/// Ready primitives, the least recently used dropped when there are too many.
class Cache {
 public:
  std::shared_ptr<const Ready> get(const Key& key, const Matmul& p) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = index_.find(key); found != index_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->second;
      }
    }
    auto made = make(p);  // without the lock: it may take milliseconds
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
  static constexpr std::size_t most = 512;  // about 25 MB
  std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<const Ready>>> order_;
  std::unordered_map<Key, decltype(order_)::iterator, Hash> index_;
};

Cache& cache() {
  static Cache* c = new Cache;  // never destroyed: other threads may still compute at exit
  return *c;
}

int threads_now() {
#ifdef _OPENMP
  if (omp_in_parallel()) return 1;
  // The library asks OpenMP how many threads there are.
  if (omp_get_max_threads() != num_threads()) omp_set_num_threads(num_threads());
  return num_threads();
#else
  return 1;
#endif
}

std::shared_ptr<const Ready> find(const Matmul& p) {
  const Key key{p.m, p.n, p.k, p.row_a, p.column_a, p.row_b, p.column_b, p.ld_c, p.bias != nullptr, threads_now()};
  return cache().get(key, p);
}

}  // namespace

bool product(const Matmul& p) {
  const auto ready = find(p);
  if (!ready->usable) return false;
  try {
    thread_local const dnnl::stream stream(engine());
    const std::size_t bytes = ready->scratch.get_size();
    struct Scratch {
      void* data;
      std::size_t bytes;
      ~Scratch() {
        if (data) deallocate_memory(data, bytes);
      }
    } scratch{bytes ? allocate_memory(bytes) : nullptr, bytes};
    const auto memory = [](const dnnl::memory::desc& d, const void* data) {
      return dnnl::memory(d, engine(), const_cast<void*>(data));
    };
    std::array<dnnl_exec_arg_t, 5> arguments;
    const dnnl::memory a = memory(ready->a, p.a), b = memory(ready->b, p.b), c = memory(ready->c, p.c);
    dnnl::memory bias, work;
    int count = 0;
    arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_SRC, a.get()};
    arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_WEIGHTS, b.get()};
    arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_DST, c.get()};
    if (p.bias) {
      bias = memory(ready->bias, p.bias);
      arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_BIAS, bias.get()};
    }
    if (bytes) {
      work = memory(ready->scratch, scratch.data);
      arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_SCRATCHPAD, work.get()};
    }
    return dnnl_primitive_execute(ready->primitive.get(), stream.get(), count, arguments.data()) == dnnl_success;
  } catch (const dnnl::error&) {
    return false;
  }
}

const char* implementation(const Matmul& p) { return find(p)->name; }

}  // namespace weft::kernels::onednn
