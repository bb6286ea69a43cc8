#include <weft/tensor/parallel.h>

#include <atomic>
#include <thread>

#include <weft/tensor/team.h>

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
// Always the whole team, even where a part of it has nothing to do: libgomp ends the threads that a smaller team
// leaves over and starts new ones for the next, which costs more than the work.
#pragma omp parallel num_threads(num_threads())
  {
    // The system may grant fewer threads than were asked for.
    const std::int64_t team = omp_get_num_threads(), me = omp_get_thread_num();
    const std::int64_t count = most < team ? most : team;
    const std::int64_t part = n / count, rest = n % count;
    const std::int64_t begin = me * part + (me < rest ? me : rest);
    const std::int64_t end = begin + part + (me < rest ? 1 : 0);
    if (me < count && begin < end) body(context, begin, end);
  }
#else
  (void)grain;
  body(context, 0, n);
#endif
}

void run_team(void (*body)(void*, const Team&), void* context) {
  std::atomic<int> arrived{0};
#ifdef _OPENMP
#pragma omp parallel num_threads(num_threads())
  body(context, Team(omp_get_thread_num(), omp_get_num_threads(), &arrived));
#else
  body(context, Team(0, 1, &arrived));
#endif
}

}  // namespace detail

void Team::wait() const noexcept {
  if (size_ == 1) return;
  const int all = ++rounds_ * size_;
  if (arrived_->fetch_add(1, std::memory_order_acq_rel) + 1 == all) return;
  // Steps take microseconds: so long the core is kept. Whoever has lost his core to another program is waited for
  // without it.
  constexpr int patience = 4000;
  for (int i = 0; arrived_->load(std::memory_order_acquire) < all; ++i) {
    if (i >= patience) std::this_thread::yield();
#if defined(__x86_64__)
    else
      __builtin_ia32_pause();
#endif
  }
}

}  // namespace weft
