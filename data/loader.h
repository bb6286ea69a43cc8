#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <vector>

#include <weft/data/modalities.h>
#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

namespace weft::data {

struct LoaderOptions {
  std::int64_t batch_size = 32;
  bool shuffle = true;
  bool drop_last = false;  ///< leave out a last batch that is not full
  std::uint64_t seed = 0;
};

/// What to store to go on later exactly as if nothing had happened.
struct LoaderState {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;  ///< the epoch that the next begin() starts
};

template <class X>
struct Batch {
  X x;
  Tensor y;
};

/// Mini-batches: `for (auto& [x, y] : loader)` walks one epoch, the next loop the next one. The order of
/// epoch e is a pure function of (seed, e) and owes nothing to other generators or to threads.
///
/// X is Modalities (Loader) or Tensor (TensorLoader). One loop at a time: a batch is valid until the next.
template <class X>
class BasicLoader {
 public:
  /// x holds N samples, targets are (N, ...), integers for classes or floats. Throws ShapeError when their numbers
  /// of rows differ, ConfigError when batch_size < 1, when there are no samples, or when drop_last leaves no batch.
  BasicLoader(X x, Tensor targets, const LoaderOptions& options = {});

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch<X>;
    using difference_type = std::ptrdiff_t;
    using pointer = value_type*;
    using reference = value_type&;

    reference operator*() const { return loader_->batch_; }
    pointer operator->() const { return &loader_->batch_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    /// True when no batch is left (the only comparison that makes sense).
    bool operator==(std::default_sentinel_t) const noexcept { return step_ >= loader_->steps(); }

   private:
    friend class BasicLoader;
    Iterator(BasicLoader* loader, std::int64_t step) : loader_(loader), step_(step) {}
    BasicLoader* loader_;
    std::int64_t step_;
  };

  /// What each batch goes through before it is handed out, e.g. augment(); an empty function: nothing. Its
  /// generator is a pure function of (seed, epoch, batch), so that a run that goes on sees the same changes.
  using Transform = std::function<X(const X&, Generator&)>;
  BasicLoader& transform(Transform how);

  /// Starts the next epoch.
  Iterator begin();
  std::default_sentinel_t end() const noexcept { return {}; }

  std::int64_t steps() const noexcept;  ///< batches in an epoch
  std::int64_t samples() const noexcept { return samples_; }
  /// The samples in the order in which epoch `epoch` has them (all N of them, also with drop_last).
  std::vector<std::int64_t> order(std::int64_t epoch) const;

  LoaderState state() const noexcept { return {options_.seed, epoch_}; }
  /// Throws ConfigError for a negative epoch.
  void set_state(const LoaderState& state);

 private:
  void fill(std::int64_t step);

  X x_;
  Tensor targets_;
  LoaderOptions options_;
  std::int64_t samples_ = 0;
  std::int64_t epoch_ = 0;
  std::vector<std::int64_t> order_;
  Transform transform_;
  Batch<X> batch_;
};

using Loader = BasicLoader<Modalities>;
using TensorLoader = BasicLoader<Tensor>;

extern template class BasicLoader<Modalities>;
extern template class BasicLoader<Tensor>;

}  // namespace weft::data
