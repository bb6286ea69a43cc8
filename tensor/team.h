#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

#include <weft/tensor/parallel.h>

/// Threads that stay together over many short steps, where starting them anew for each would cost more than the step.
namespace weft {

class Team {
 public:
  Team(int me, int size, std::atomic<int>* arrived) noexcept : me_(me), size_(size), arrived_(arrived) {}
  bool first() const noexcept { return me_ == 0; }
  /// This thread's part of [0, n).
  std::pair<std::int64_t, std::int64_t> share(std::int64_t n) const noexcept {
    return {n * me_ / size_, n * (me_ + 1) / size_};
  }
  /// Returns once all threads have called it as often as this one.
  void wait() const noexcept;

 private:
  int me_, size_;
  std::atomic<int>* arrived_;
  mutable int rounds_ = 0;
};

namespace detail {
void run_team(void (*body)(void*, const Team&), void* context);
}

/// Calls body(team) on every thread, or on this one alone where n items of at least `smallest` are too few for several.
/// Must not be nested; body must not throw.
template <class Body>
void run_team(std::int64_t n, std::int64_t smallest, Body&& body) {
  if (!detail::worth_spreading(n, smallest)) {
    body(Team(0, 1, nullptr));
    return;
  }
  detail::run_team([](void* context, const Team& team) { (*static_cast<Body*>(context))(team); },
                   const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace weft
