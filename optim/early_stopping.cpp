#include <weft/optim/early_stopping.h>

#include <cmath>

#include <weft/tensor/kernels.h>

namespace weft::optim {

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options) : options_(options) {
  if (options.patience < 1)
    throw ConfigError(text("early stopping: patience ", options.patience, ", must be 1 or more"));
  if (!(options.min_delta >= 0 && std::isfinite(options.min_delta)))
    throw ConfigError(text("early stopping: min_delta ", options.min_delta, ", must be 0 or more"));
}

bool EarlyStopping::update(double figure, const State& now) {
  const double gain = best_ ? (options_.higher_is_better ? figure - *best_ : *best_ - figure) : 0;
  const bool better = best_ ? gain > options_.min_delta : !std::isnan(figure);
  if (better) {
    best_ = figure;
    best_epoch_ = epochs_;
    kept_.clear();
    for (const auto& [name, x] : now) kept_.emplace_back(name, kernels::copy(x));
  }
  return ++epochs_ - (best_ ? best_epoch_ + 1 : 0) >= options_.patience;
}

void EarlyStopping::restore(const State& model) const {
  if (!best_) throw ConfigError("early stopping: there is no best epoch yet\n  help: call update() after each epoch");
  if (model.size() != kept_.size())
    throw ShapeError(text("early stopping: ", kept_.size(), " tensors were kept, the model has ", model.size()));
  for (std::size_t i = 0; i < model.size(); ++i)
    if (!(model[i].second.shape() == kept_[i].second.shape()))
      throw ShapeError(text("early stopping: \"", model[i].first, "\" is ", model[i].second.shape(), ", kept was ",
                            kept_[i].second.shape()));
  for (std::size_t i = 0; i < model.size(); ++i) {
    kernels::copy_into(model[i].second, kept_[i].second);
    ++model[i].second.body().storage->version;
  }
}

}  // namespace weft::optim
