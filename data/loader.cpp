#include <weft/data/loader.h>

#include <algorithm>
#include <numeric>
#include <span>

#include <weft/tensor/random.h>

namespace weft::data {
namespace {

std::int64_t rows_of(const Modalities& x) {
  x.check();
  return x.batch();
}
std::int64_t rows_of(const Tensor& x) {
  if (x.dim() == 0) throw ShapeError("loader: samples of rank 0 have no rows");
  return x.size(0);
}

Modalities pick(const Modalities& x, std::span<const std::int64_t> index) { return x.rows(index); }
Tensor pick(const Tensor& x, std::span<const std::int64_t> index) { return take_rows(x, index); }

}  // namespace

template <class X>
BasicLoader<X>::BasicLoader(X x, Tensor targets, const LoaderOptions& options)
    : x_(std::move(x)), targets_(std::move(targets)), options_(options), samples_(rows_of(x_)) {
  if (targets_.dim() == 0 || targets_.size(0) != samples_)
    throw ShapeError(text("loader: ", samples_, " samples, targets ", targets_.shape()));
  if (options_.batch_size < 1)
    throw ConfigError(text("loader: batch size ", options_.batch_size, ", must be 1 or more"));
  if (samples_ == 0) throw ConfigError("loader: there are no samples");
  if (steps() == 0)
    throw ConfigError(text("loader: ", samples_, " samples do not fill a batch of ", options_.batch_size,
                           "\n  help: lower the batch size or leave drop_last off"));
}

template <class X>
std::int64_t BasicLoader<X>::steps() const noexcept {
  return samples_ / options_.batch_size + (!options_.drop_last && samples_ % options_.batch_size != 0 ? 1 : 0);
}

template <class X>
std::vector<std::int64_t> BasicLoader<X>::order(std::int64_t epoch) const {
  std::vector<std::int64_t> out(static_cast<std::size_t>(samples_));
  std::iota(out.begin(), out.end(), std::int64_t{0});
  if (!options_.shuffle) return out;
  // A key of its own, so that a model initialised from the same seed is not tied to the order; epochs lie 2^40
  // numbers apart in the stream.
  constexpr std::uint64_t key = 0x6c6f61646572;
  Generator generator{options_.seed ^ key, static_cast<std::uint64_t>(epoch) << 40};
  for (std::size_t i = out.size(); i > 1; --i)
    std::swap(out[i - 1], out[static_cast<std::size_t>(generator.below(static_cast<std::int64_t>(i)))]);
  return out;
}

template <class X>
typename BasicLoader<X>::Iterator BasicLoader<X>::begin() {
  order_ = order(epoch_++);
  fill(0);
  return Iterator(this, 0);
}

template <class X>
typename BasicLoader<X>::Iterator& BasicLoader<X>::Iterator::operator++() {
  if (++step_ < loader_->steps()) loader_->fill(step_);
  return *this;
}

template <class X>
void BasicLoader<X>::fill(std::int64_t step) {
  const std::int64_t begin = step * options_.batch_size;
  const std::int64_t count = std::min(options_.batch_size, samples_ - begin);
  const auto index = std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
  batch_ = {pick(x_, index), take_rows(targets_, index)};
  if (!transform_) return;
  // A key for each epoch (it has been counted already), batches 2^40 numbers apart.
  constexpr std::uint64_t key = 0x6175676d656e74, odd = 0x9e3779b97f4a7c15;
  Generator generator{(options_.seed ^ key) + static_cast<std::uint64_t>(epoch_) * odd, static_cast<std::uint64_t>(step)
                                                                                            << 40};
  batch_.x = transform_(batch_.x, generator);
}

template <class X>
BasicLoader<X>& BasicLoader<X>::transform(Transform how) {
  transform_ = std::move(how);
  return *this;
}

template <class X>
void BasicLoader<X>::set_state(const LoaderState& state) {
  if (state.epoch < 0) throw ConfigError(text("loader: epoch ", state.epoch, " is negative"));
  options_.seed = state.seed;
  epoch_ = state.epoch;
}

template class BasicLoader<Modalities>;
template class BasicLoader<Tensor>;

}  // namespace weft::data
