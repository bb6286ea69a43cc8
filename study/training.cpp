#include <weft/study/training.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include <nlohmann/json.hpp>

#include <weft/autograd/grad.h>
#include <weft/data/loader.h>
#include <weft/data/split.h>
#include <weft/fusion/degrade.h>
#include <weft/layers/serialize.h>
#include <weft/optim/averaging.h>
#include <weft/optim/gradients.h>
#include <weft/optim/optimizer.h>
#include <weft/optim/schedule.h>
#include <weft/study/compare.h>
#include <weft/study/interrupt.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::study {
namespace {

using Json = nlohmann::json;

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& c, std::vector<Tensor> parameters) {
  if (c.optimizer == "sgd")
    return std::make_unique<optim::Sgd>(
        std::move(parameters), optim::SgdOptions{.lr = c.lr, .momentum = c.momentum, .weight_decay = c.weight_decay});
  if (c.optimizer == "adam")
    return std::make_unique<optim::Adam>(std::move(parameters),
                                         optim::AdamOptions{.lr = c.lr, .weight_decay = c.weight_decay});
  return std::make_unique<optim::AdamW>(std::move(parameters),
                                        optim::AdamWOptions{.lr = c.lr, .weight_decay = c.weight_decay});
}

/// The learning rate of an epoch (from 0): set anew each time, so that nothing needs to be remembered.
void set_rate(const TrainConfig& c, optim::Optimizer& optimizer, std::int64_t epoch) {
  if (c.schedule == "cosine") {
    optimizer.set_lr(optim::CosineAnnealingLr{.T_max = c.epochs}(c.lr, epoch).lr);
  } else if (c.schedule == "step") {
    optimizer.set_lr(optim::StepLr{.step_size = c.step_size, .gamma = c.gamma}(c.lr, epoch).lr);
  } else {
    optimizer.set_lr(c.lr);
  }
}

/// The weights that meet the features first: what an L1 penalty should thin out.
std::vector<Tensor> first_weights(fusion::Classifier& net) {
  std::vector<Tensor> first;
  for (std::size_t m = 0; m < net.encoders.size(); ++m)
    if (const auto all = named_parameters(net.encoders[m]); !all.empty()) first.push_back(all.front().second);
  return first;
}

Tensor balanced_weights(const std::vector<std::int64_t>& labels, std::int64_t classes) {
  std::vector<float> count(static_cast<std::size_t>(classes));
  for (const std::int64_t y : labels) ++count[static_cast<std::size_t>(y)];
  for (float& n : count) n = n > 0 ? static_cast<float>(labels.size()) / (static_cast<float>(classes) * n) : 0;
  return from(count);
}

std::vector<std::int64_t> chosen(const std::vector<std::int64_t>& values, const std::vector<std::int64_t>& rows) {
  std::vector<std::int64_t> out;
  for (const std::int64_t i : rows) out.push_back(values[static_cast<std::size_t>(i)]);
  return out;
}

Json of(const Generator& g) { return {g.seed, g.offset}; }
Generator generator_of(const Json& j) { return {j.at(0).get<std::uint64_t>(), j.at(1).get<std::uint64_t>()}; }
Json of(const Curve& c) {
  return {
      {"train_loss", c.train_loss}, {"validation_loss", c.validation_loss}, {"validation_score", c.validation_score}};
}
Curve curve_of(const Json& j) {
  return {j.at("train_loss").get<std::vector<double>>(), j.at("validation_loss").get<std::vector<double>>(),
          j.at("validation_score").get<std::vector<double>>()};
}

}  // namespace

std::vector<data::Split> held_out_parts(const TrainConfig& config, const Task& task) {
  Generator generator{derive_seed(task.seed, 1), 0};
  std::vector<std::int64_t> labels, groups;
  for (const std::int64_t i : task.rows) {
    labels.push_back(task.labels[static_cast<std::size_t>(i)]);
    if (!task.groups.empty()) groups.push_back(task.groups[static_cast<std::size_t>(i)]);
  }
  if (config.folds > 1) {
    const auto folds = static_cast<int>(config.folds);
    return groups.empty() ? data::stratified_k_fold(labels, folds, generator)
                          : data::group_k_fold(groups, folds, generator, labels);
  }
  return {groups.empty() ? data::stratified_split(labels, config.validation, generator)
                         : data::group_split(groups, config.validation, generator, labels)};
}

/// One network on its way.
struct Training::Fold {
  std::size_t number;
  fusion::Classifier net, best, averaged;
  Generator damage;        ///< for degradation and dropped modalities
  std::int64_t epoch = 0;  ///< how many are done
  std::int64_t steps = 0;  ///< of the optimiser
  std::unique_ptr<optim::Optimizer> optimizer{};
  double best_score = -std::numeric_limits<double>::infinity();
  double best_loss = std::numeric_limits<double>::infinity();
  std::int64_t best_epoch = 0;
  Curve curve{};
};

Training::Training(const TrainConfig& config, const Task& task, data::Modalities x, std::vector<std::int64_t> labels,
                   std::function<fusion::Classifier()> make)
    : config_(config), task_(task), x_(std::move(x)), labels_(std::move(labels)), make_(std::move(make)) {
  answers_.resize(labels_.size() * static_cast<std::size_t>(task.classes));
}

void Training::run() {
  const std::vector<data::Split> splits = held_out_parts(config_, task_);
  folds_ = splits.size();
  if (task_.resume && !task_.checkpoint.empty() && std::filesystem::exists(task_.checkpoint)) read_checkpoint();
  const bool was_done = checkpoint_ && networks.size() == folds_;
  for (std::size_t k = 0; k < splits.size(); ++k) train_fold(k, splits[k]);
  if (task_.keep_checkpoint && !task_.checkpoint.empty() && !was_done) save(nullptr);

  held_out.classes = task_.classes;
  const auto width = static_cast<std::size_t>(task_.classes);
  for (const std::int64_t i : judged_) {
    const auto at = static_cast<std::size_t>(i);
    held_out.labels.push_back(labels_[at]);
    for (std::size_t c = 0; c < width; ++c) held_out.probabilities.push_back(answers_[at * width + c]);
  }
  validation = task_.metric.compute(held_out);
}

void Training::train_fold(std::size_t k, const data::Split& split) {
  if (k < networks.size()) return;  // restored from the checkpoint
  manual_seed(derive_seed(task_.seed, 2, k));
  fusion::Classifier net = make_(), best = clone(net), averaged = clone(net);
  Fold fold{.number = k,
            .net = std::move(net),
            .best = std::move(best),
            .averaged = std::move(averaged),
            .damage = {derive_seed(task_.seed, 3, k), 0}};
  fold.optimizer = make_optimizer(config_, parameters(fold.net));
  if (checkpoint_) continue_fold(fold);

  const data::Modalities seen = x_.rows(split.train), unseen = x_.rows(split.test);
  const std::vector<std::int64_t> labels = chosen(labels_, split.train);
  const fusion::Scales scales = fusion::measure(seen);
  data::Loader loader(seen, from(labels), {.batch_size = config_.batch, .seed = derive_seed(task_.seed, 4, k)});
  fusion::LossOptions loss_options{.label_smoothing = config_.label_smoothing};
  if (config_.balanced) loss_options.class_weights = balanced_weights(labels, task_.classes);
  const std::vector<Tensor> thinned = config_.l1 > 0 ? first_weights(fold.net) : std::vector<Tensor>();
  const double sign = task_.metric.higher_is_better ? 1 : -1;

  while (fold.epoch < config_.epochs && fold.epoch - fold.best_epoch < config_.patience) {
    set_rate(config_, *fold.optimizer, fold.epoch);
    loader.set_state({loader.state().seed, fold.epoch});
    train(fold.net);
    double total = 0;
    std::int64_t rows = 0;
    loss_options.progress = static_cast<double>(fold.epoch) / static_cast<double>(config_.epochs);
    for (auto& [x, y] : loader) {
      data::Modalities batch = x;
      if (config_.degradation > 0)
        batch = fusion::degrade(batch, scales, {.probability = config_.degradation}, fold.damage);
      if (config_.modality_dropout > 0) batch = fusion::drop_modalities(batch, config_.modality_dropout, fold.damage);
      const Tensor loss = fold.net.loss(fold.net(batch), y, loss_options);
      fold.optimizer->zero_grad();
      loss.backward();
      if (config_.clip > 0) optim::clip_gradient_norm(fold.optimizer->parameters(), config_.clip);
      fold.optimizer->step();
      ++fold.steps;
      if (!thinned.empty()) optim::soft_threshold(thinned, fold.optimizer->lr() * config_.l1);
      if (config_.average > 0) optim::average_state(state(fold.averaged), state(fold.net), config_.average, fold.steps);
      const double value = loss.item();
      if (task_.on_step)
        task_.on_step(
            {task_.trial, static_cast<std::int64_t>(k), fold.epoch + 1, fold.steps, value, fold.optimizer->lr()});
      total += value * static_cast<double>(x.batch());
      rows += x.batch();
    }
    if (!std::isfinite(total))
      throw ConfigError(text(config_.place.str(), ": the loss is no longer a number in epoch ", fold.epoch + 1,
                             " with lr ", config_.lr,
                             "\n  help: choose a smaller lr, or limit the gradient with clip"));
    fusion::Classifier& current = config_.average > 0 ? fold.averaged : fold.net;
    eval(current);
    data::Predictions p{chosen(labels_, split.test), answer(current, unseen).probabilities, task_.classes};
    if (!std::ranges::all_of(p.probabilities, [](double v) { return std::isfinite(v); }))
      throw ConfigError(text(config_.place.str(), ": the network no longer gives numbers after epoch ", fold.epoch + 1,
                             " with lr ", config_.lr,
                             "\n  help: choose a smaller lr, or limit the gradient with clip"));
    const double score = task_.metric.compute(p), loss = data::log_loss(p);
    fold.curve.train_loss.push_back(total / static_cast<double>(rows));
    fold.curve.validation_loss.push_back(loss);
    fold.curve.validation_score.push_back(score);
    ++fold.epoch;
    // A score such as AUC stands still on few rows; among equals the better log-loss decides.
    if (sign * score > fold.best_score || (sign * score == fold.best_score && loss < fold.best_loss)) {
      fold.best_score = sign * score;
      fold.best_loss = loss;
      fold.best_epoch = fold.epoch;
      fold.best = clone(current);
    }
    if (!task_.on_epoch) continue;
    try {
      task_.on_epoch(static_cast<std::int64_t>(k) * config_.epochs + fold.epoch,
                     static_cast<std::int64_t>(folds_) * config_.epochs, fold.curve);
    } catch (const Interrupted&) {
      if (!task_.checkpoint.empty()) save(&fold);
      throw;
    }
  }

  eval(fold.best);
  const std::vector<double> answers = answer(fold.best, unseen).probabilities;
  const auto width = static_cast<std::size_t>(task_.classes);
  for (std::size_t i = 0; i < split.test.size(); ++i) {
    judged_.push_back(split.test[i]);
    std::copy_n(answers.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                answers_.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(split.test[i]) * width));
  }
  if (k == 0) curve = fold.curve;
  networks.push_back(std::move(fold.best));
}

std::string Training::fingerprint() const {
  return text(task_.origin, ' ', task_.seed, ' ', labels_.size(), ' ', task_.classes, ' ', config_.epochs, ' ',
              config_.batch, ' ', config_.lr);
}

void Training::save(const Fold* under_way) const {
  TensorFile file;
  const auto add = [&file](const std::string& prefix, fusion::Classifier net) {
    for (auto& [name, x] : state(net)) file.tensors.emplace_back(prefix + name, x);
  };
  for (std::size_t k = 0; k < networks.size(); ++k) add(text("done.", k, "."), networks[k]);
  Json about{{"training", fingerprint()},
             {"done", networks.size()},
             {"first_curve", of(curve)},
             {"judged", judged_},
             {"held_out", answers_}};
  if (under_way) {
    const Fold& fold = *under_way;
    add("net.", fold.net);
    add("best.", fold.best);
    add("averaged.", fold.averaged);
    for (auto& [name, x] : fold.optimizer->state()) file.tensors.emplace_back("optimizer." + name, x);
    about.update({{"epoch", fold.epoch},
                  {"steps", fold.steps},
                  {"default_generator", of(default_generator())},
                  {"damage", of(fold.damage)},
                  {"best_score", fold.best_score},
                  {"best_loss", fold.best_loss},
                  {"best_epoch", fold.best_epoch},
                  {"curve", of(fold.curve)}});
  }
  file.metadata["weft"] = about.dump();
  save_tensors(task_.checkpoint, file);
}

namespace {
/// Runs what reads a checkpoint, which may be damaged in any way.
template <class Read>
void reading(const std::string& path, Read&& read) {
  try {
    read();
    return;
  } catch (const nlohmann::json::exception&) {
  } catch (const std::out_of_range&) {
  } catch (const Error&) {
  }
  throw FileError(text("resume: ", path, " is damaged\n  help: run without --resume to start anew"));
}
void fill(fusion::Classifier& net, const std::string& prefix, const TensorFile& file) {
  for (auto& [name, x] : state(net)) {
    const Tensor& from = file.at(prefix + name);
    if (!(from.shape() == x.shape())) throw std::out_of_range(name);
    kernels::copy_into(x, from);
  }
}
}  // namespace

void Training::read_checkpoint() {
  std::string of_what;
  reading(task_.checkpoint, [&] {
    checkpoint_ = load_tensors(task_.checkpoint);
    of_what = Json::parse(checkpoint_->metadata.at("weft")).at("training").get<std::string>();
  });
  if (of_what != fingerprint())
    throw ConfigError(text("resume: ", task_.checkpoint,
                           " is of another study file, seed, version or other data\n"
                           "  help: run without --resume to start anew"));
  reading(task_.checkpoint, [&] {
    const Json about = Json::parse(checkpoint_->metadata.at("weft"));
    judged_ = about.at("judged").get<std::vector<std::int64_t>>();
    const auto kept = about.at("held_out").get<std::vector<double>>();
    const auto rows = static_cast<std::int64_t>(labels_.size());
    if (kept.size() != answers_.size() ||
        std::ranges::any_of(judged_, [rows](std::int64_t i) { return i < 0 || i >= rows; }))
      throw std::out_of_range("rows");
    answers_ = kept;
    curve = curve_of(about.at("first_curve"));
    const auto done = about.at("done").get<std::size_t>();
    if (done > folds_) throw std::out_of_range("folds");
    for (std::size_t k = 0; k < done; ++k) {
      networks.push_back(make_());
      fill(networks.back(), text("done.", k, "."), *checkpoint_);
      eval(networks.back());
    }
  });
}

void Training::continue_fold(Fold& fold) {
  const TensorFile file = std::move(*checkpoint_);
  checkpoint_.reset();
  reading(task_.checkpoint, [&] {
    const Json about = Json::parse(file.metadata.at("weft"));
    fill(fold.net, "net.", file);
    fill(fold.best, "best.", file);
    fill(fold.averaged, "averaged.", file);
    std::vector<std::pair<std::string, Tensor>> optimizer;
    const std::string prefix = "optimizer.";
    for (const auto& [name, x] : file.tensors)
      if (name.rfind(prefix, 0) == 0) optimizer.emplace_back(name.substr(prefix.size()), x);
    fold.optimizer->set_state(optimizer);
    fold.epoch = about.at("epoch").get<std::int64_t>();
    fold.steps = about.at("steps").get<std::int64_t>();
    fold.damage = generator_of(about.at("damage"));
    fold.best_score = about.at("best_score").get<double>();
    fold.best_loss = about.at("best_loss").get<double>();
    fold.best_epoch = about.at("best_epoch").get<std::int64_t>();
    fold.curve = curve_of(about.at("curve"));
    default_generator() = generator_of(about.at("default_generator"));
  });
}

}  // namespace weft::study
