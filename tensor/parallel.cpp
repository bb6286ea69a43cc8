#include <weft/tensor/parallel.h>

#include <atomic>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace weft {
namespace {

std::atomic<bool> deterministic_on{false};

int default_threads() noexcept {
#ifdef _OPENMP
  static const int count = omp_get_max_threads();
  return count > 0 ? count : 1;
#else
  return 1;
#endif
}
std::atomic<int> wanted_threads{0};  // 0: the default

}  // namespace

void set_num_threads(int threads) { wanted_threads.store(threads > 0 ? threads : 0, std::memory_order_relaxed); }

int num_threads() noexcept {
#ifdef _OPENMP
  const int wanted = wanted_threads.load(std::memory_order_relaxed);
  return wanted > 0 ? wanted : default_threads();
#else
  return 1;
#endif
}

void deterministic(bool on) noexcept { deterministic_on.store(on, std::memory_order_relaxed); }
bool is_deterministic() noexcept { return deterministic_on.load(std::memory_order_relaxed); }

namespace detail {

bool worth_spreading(std::int64_t n, std::int64_t grain) noexcept {
  if (n <= (grain > 0 ? grain : 1) || num_threads() == 1) return false;
#ifdef _OPENMP
  return !omp_in_parallel();
#else
  return false;
#endif
}

void spread(std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t), void* context) {
#ifdef _OPENMP
  const std::int64_t smallest = grain > 0 ? grain : 1;
  const std::int64_t most = (n + smallest - 1) / smallest;
  const int threads = static_cast<int>(most < num_threads() ? most : num_threads());
#pragma omp parallel num_threads(threads)
  {
    // The system may grant fewer threads than were asked for.
    const std::int64_t count = omp_get_num_threads(), me = omp_get_thread_num();
    const std::int64_t part = n / count, rest = n % count;
    const std::int64_t begin = me * part + (me < rest ? me : rest);
    const std::int64_t end = begin + part + (me < rest ? 1 : 0);
    if (begin < end) body(context, begin, end);
  }
#else
  (void)grain;
  body(context, 0, n);
#endif
}

}  // namespace detail
}  // namespace weft
