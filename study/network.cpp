#include <weft/study/network.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/fusion/classifier.h>
#include <weft/layers/serialize.h>
#include <weft/study/compare.h>
#include <weft/study/training.h>
#include <weft/tensor/create.h>

namespace weft::study {

data::Modalities as_float32(const data::Modalities& x) {
  data::Modalities y = x;
  for (Tensor& f : y.features) f = to(f, DType::float32);
  return y;
}

namespace {

/// Bytes that this process may fill, as far as that can be told.
double memory_here() {
  double bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  if (double most = 0; limit >> most) bytes = std::min(bytes, most);
  return bytes;
}

/// About how many weights a fusion has beyond a linear map of each modality: what grows with a square or worse.
double size_of_fusion(const Study& study, const std::string& name, const std::vector<std::int64_t>& widths) {
  const FusionConfig& f = study.fusion;
  const auto width = static_cast<double>(f.width), layers = static_cast<double>(f.layers),
             count = static_cast<double>(study.modalities.size());
  double sum = 0, squares = 0;
  for (std::size_t m = 0; m < study.modalities.size(); ++m) {
    const EncoderConfig& e = study.modalities[m].encoder;
    const auto own = static_cast<double>(e.type == "identity" || e.hidden.empty() ? widths[m] : e.hidden.back());
    sum += own;
    squares += own * own;
  }
  if (name == "gated") return layers * count * width * count * width + (layers - 1) * 8 * width * width;
  if (name == "transformer") return layers * 8 * width * width;
  if (name == "query" || name == "cross") return 4 * width * width;
  if (name == "dynamics") return squares + count * width * width;
  if (name == "lowrank") return sum * static_cast<double>(f.rank) * width;
  if (name == "tensor")
    return f.factor_width == 0 ? 4096 * width : std::pow(static_cast<double>(f.factor_width + 1), count) * width;
  return 0;
}

/// Stops before a network is made that cannot be: what is allocated and then found to be too much ends the process
/// without a word on most systems.
void check_size(const Study& study, const std::string& name, const std::vector<std::int64_t>& widths) {
  const auto chain = [](double width, const std::vector<std::int64_t>& hidden, double out) {
    double sum = 0;
    for (const std::int64_t h : hidden) {
      sum += width * static_cast<double>(h);
      width = static_cast<double>(h);
    }
    return sum + width * out;
  };
  const auto width = static_cast<double>(study.fusion.width);
  double total = chain(width, study.fusion.head, 1) + size_of_fusion(study, name, widths), most = total;
  const Place* place = &study.fusion.place;
  for (std::size_t m = 0; m < study.modalities.size(); ++m) {
    const EncoderConfig& e = study.modalities[m].encoder;
    const auto columns = static_cast<double>(widths[m]);
    // What is left of an image after its convolutions is taken to be as large as the image.
    const double own = e.type == "mlp"                        ? chain(columns, e.hidden, width)
                       : e.type == "cnn" || e.type == "cnn1d" ? chain(columns, {e.hidden.back()}, width)
                                                              : columns * width;
    total += own;
    if (own <= most) continue;
    most = own;
    place = e.place.line > 0 ? &e.place : &study.modalities[m].place;
  }
  // Each number is there six times: itself, its gradient, two averages of the optimiser, its own, and the best so far.
  const double bytes = total * 4 * 6, here = memory_here();
  if (bytes > here)
    throw ConfigError(text(place->str(), ": the network would have ", std::llround(total / 1e6),
                           " million weights and take ", std::llround(bytes / 1e9), " GB, of ",
                           std::llround(here / 1e9), " GB here\n  help: choose ",
                           place == &study.fusion.place ? "a smaller width in [fusion]" : "smaller hidden layers"));
}

/// All combinations of a grid, the last key going round fastest.
std::vector<std::vector<std::pair<std::string, double>>> combinations(const SelectConfig& select) {
  std::vector<std::vector<std::pair<std::string, double>>> out(1);
  for (const auto& [key, values] : select.grid) {
    std::vector<std::vector<std::pair<std::string, double>>> longer;
    for (const auto& settings : out)
      for (const double value : values) {
        longer.push_back(settings);
        longer.back().emplace_back(key, value);
      }
    out = std::move(longer);
  }
  return out;
}

/// One network, or one per fold: probabilities and weights are their means.
class FittedNetwork final : public Fitted {
 public:
  FittedNetwork(std::vector<fusion::Classifier> networks, std::vector<std::int64_t> widths, std::int64_t classes)
      : networks_(std::move(networks)), widths_(std::move(widths)), classes_(classes) {
    eval(networks_);
  }

  Outcome predict(const data::Modalities& x) const override {
    const data::Modalities rows = as_float32(x);
    Outcome mean;
    for (const fusion::Classifier& net : networks_) {
      const Outcome one = answer(net, rows);
      add(mean.probabilities, one.probabilities);
      add(mean.weights, one.weights);
    }
    return mean;
  }

  void save(const std::string& path) const override {
    const nlohmann::json about{{"networks", networks_.size()}, {"widths", widths_}, {"classes", classes_}};
    auto networks = networks_;
    weft::save(networks, path, {{"weft", about.dump()}});
  }

 private:
  void add(std::vector<double>& sum, const std::vector<double>& one) const {
    sum.resize(one.size());
    for (std::size_t i = 0; i < one.size(); ++i) sum[i] += one[i] / static_cast<double>(networks_.size());
  }

  std::vector<fusion::Classifier> networks_;
  std::vector<std::int64_t> widths_;
  std::int64_t classes_;
};

class Network final : public Method {
 public:
  Network(const Study& study, std::string fusion, std::string its_name, MethodKind its_kind, std::string single = {})
      : Method(std::move(its_name), its_kind), study_(study), fusion_(std::move(fusion)), single_(std::move(single)) {}

  /// Every combination of [select] is trained on the same inner folds; the best of them by validation score is kept.
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    if (!task.resume) remove_checkpoints(task);  // those of an earlier run that was stopped and given up
    if (study_.select.grid.empty()) return fit_one(study_, task);
    // A checkpoint knows one training only: each has its own, and keeps it until the last is done.
    Task trial = task;
    trial.keep_checkpoint = true;
    const double sign = task.metric.higher_is_better ? 1 : -1;
    std::unique_ptr<Fitted> best;
    const auto all = combinations(study_.select);
    const auto count = static_cast<std::int64_t>(all.size());
    if (task.on_epoch)
      trial.on_epoch = [&task, &trial, count](std::int64_t done, std::int64_t total, const Curve& curve) {
        task.on_epoch((trial.trial - task.trial) * total + done, count * total, curve);
      };
    for (const auto& settings : all) {
      Study study = study_;
      for (const auto& [key, value] : settings) set_selectable(study, key, value);
      if (!task.checkpoint.empty()) trial.checkpoint = checkpoint_of(task, trial.trial - task.trial);
      auto fitted = fit_one(study, trial);
      ++trial.trial;
      if (best && sign * *fitted->validation <= sign * *best->validation) continue;
      best = std::move(fitted);
      best->selected = settings;
    }
    remove_checkpoints(task);
    return best;
  }

  static fusion::Classifier make_network(const Study& study, const std::string& fusion,
                                         const std::vector<std::int64_t>& widths, std::int64_t classes,
                                         const std::string& single) {
    check_size(study, fusion, widths);
    fusion::ClassifierOptions o;
    for (std::size_t m = 0; m < study.modalities.size(); ++m) {
      const ModalityConfig& modality = study.modalities[m];
      o.names.push_back(modality.name);
      fusion::EncoderChoice& e = o.encoders.emplace_back();
      e.kind = modality.encoder.type;
      e.options.in_features = widths[m];
      e.options.hidden = modality.encoder.hidden;
      e.options.dropout = modality.encoder.dropout;
      e.options.norm = modality.encoder.norm;
      e.options.shape = modality.encoder.shape;
    }
    o.fusion = fusion;
    o.classes = classes;
    o.head = study.fusion.head;
    o.dropout = study.fusion.dropout;
    o.method.width = study.fusion.width;
    o.method.hidden = study.fusion.hidden;
    o.method.temperature = study.fusion.temperature;
    o.method.modality = single;
    o.method.layers = study.fusion.layers;
    o.method.heads = study.fusion.heads;
    o.method.rank = study.fusion.rank;
    o.method.factor_width = study.fusion.factor_width;
    o.method.confidence_share = study.fusion.confidence_share;
    o.method.auxiliary_weight = study.fusion.auxiliary_weight;
    o.method.confidence_weight = study.fusion.confidence_weight;
    o.method.quality_weight = study.fusion.quality_weight;
    o.method.sparsity_weight = study.fusion.sparsity_weight;
    o.method.ranking_weight = study.fusion.ranking_weight;
    o.method.annealing = study.fusion.annealing;
    o.method.balance_weight = study.fusion.balance_weight;
    o.method.context = study.fusion.context;
    o.method.relevance = study.fusion.relevance;
    if (fusion == "static") o.method.weights = study.fusion.weights;
    return fusion::Classifier(o);
  }

 private:
  /// Of the nth combination of [select].
  static std::string checkpoint_of(const Task& task, std::int64_t n) { return text(task.checkpoint, '.', n); }
  static void remove_checkpoints(const Task& task) {
    if (task.checkpoint.empty()) return;
    std::error_code ignored;
    for (std::int64_t n = 0; std::filesystem::remove(checkpoint_of(task, n), ignored);) ++n;
  }

  std::unique_ptr<Fitted> fit_one(const Study& study, const Task& task) const {
    const data::Modalities all = as_float32(task.x);
    std::vector<std::int64_t> widths;
    for (const Tensor& f : all.features) widths.push_back(f.size(1));
    std::vector<std::int64_t> labels;
    for (const std::int64_t i : task.rows) labels.push_back(task.labels[static_cast<std::size_t>(i)]);
    Training training(study.train, task, all.rows(task.rows), std::move(labels),
                      [&] { return make_network(study, fusion_, widths, task.classes, single_); });
    training.run();
    auto fitted = std::make_unique<FittedNetwork>(std::move(training.networks), widths, task.classes);
    fitted->validation = training.validation;
    fitted->curve = std::move(training.curve);
    fitted->held_out = std::move(training.held_out);
    return fitted;
  }

  Study study_;
  std::string fusion_, single_;
};

/// "committee": several fusions, each trained as it would be alone; the answer is the mean of theirs. Nothing is
/// learned about whom to follow, so that few validation rows are enough to judge it by.
class Committee final : public Method {
 public:
  explicit Committee(Methods members) : Method("committee", MethodKind::fusion), members_(std::move(members)) {}

  std::unique_ptr<Fitted> fit(const Task& task) const override {
    Task own = task;
    own.checkpoint.clear();  // a checkpoint knows one training only
    auto fitted = std::make_unique<Result>();
    for (const auto& method : members_) fitted->members.push_back(method->fit(own));
    const auto count = static_cast<double>(members_.size());
    data::Predictions held_out = *fitted->members.front()->held_out;  // the same rows for all: one seed, one split
    std::ranges::fill(held_out.probabilities, 0.0);
    for (const auto& member : fitted->members)
      for (std::size_t i = 0; i < held_out.probabilities.size(); ++i)
        held_out.probabilities[i] += member->held_out->probabilities[i] / count;
    fitted->validation = task.metric.compute(held_out);
    fitted->held_out = std::move(held_out);
    return fitted;
  }

 private:
  struct Result final : Fitted {
    std::vector<std::unique_ptr<Fitted>> members;
    Outcome predict(const data::Modalities& x) const override {
      Outcome mean;
      for (const auto& member : members) {
        const Outcome one = member->predict(x);
        mean.probabilities.resize(one.probabilities.size());
        for (std::size_t i = 0; i < one.probabilities.size(); ++i)
          mean.probabilities[i] += one.probabilities[i] / static_cast<double>(members.size());
      }
      return mean;
    }
  };

  Methods members_;
};

Methods fusions_of(const Study& study) {
  Methods methods;
  for (const std::string& name : study.compare.fusions.empty() ? fusion_names() : study.compare.fusions)
    methods.push_back(make_fusion(study, name));
  return methods;
}

}  // namespace

Outcome answer(const fusion::Classifier& net, const data::Modalities& rows) {
  const NoGrad off;
  const fusion::Output out = net(rows);
  Outcome outcome;
  outcome.probabilities = to_vector<double>(softmax(to(out.log_probabilities, DType::float64), 1));
  if (out.fused.weights.defined()) outcome.weights = to_vector<double>(out.fused.weights);
  return outcome;
}

Methods make_fusions(const Study& study) {
  Methods methods;
  for (const ModalityConfig& m : study.modalities)
    methods.push_back(std::make_unique<Network>(study, "single", "single: " + m.name, MethodKind::single, m.name));
  for (auto& fusion : fusions_of(study)) methods.push_back(std::move(fusion));
  if (study.compare.committee) methods.push_back(std::make_unique<Committee>(fusions_of(study)));
  return methods;
}

std::unique_ptr<Method> make_fusion(const Study& study, const std::string& name) {
  return std::make_unique<Network>(study, name, name, MethodKind::fusion);
}

namespace {

struct Kept {
  std::vector<fusion::Classifier> networks;
  std::vector<std::int64_t> widths;
  std::int64_t classes = 0;
};

Kept load_all(const Study& study, const std::string& fusion, const std::string& path) {
  const TensorFile file = load_tensors(path);
  const auto about_text = file.metadata.find("weft");
  const auto about = nlohmann::json::parse(about_text == file.metadata.end() ? "" : about_text->second, nullptr, false);
  std::size_t count = 0;
  std::int64_t classes = 0;
  std::vector<std::int64_t> widths;
  try {
    count = about.at("networks").get<std::size_t>();
    classes = about.at("classes").get<std::int64_t>();
    widths = about.at("widths").get<std::vector<std::int64_t>>();
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("load: ", path, " does not say what networks it holds"));
  }
  constexpr std::size_t most = 1000;
  if (widths.size() != study.modalities.size() || count < 1 || count > most)
    throw FileError(text("load: ", path, " holds ", count, " networks of ", widths.size(),
                         " modalities, the study has ", study.modalities.size()));
  if (std::ranges::any_of(widths, [](std::int64_t w) { return w < 1 || w > 100'000'000; }) || classes < 2 ||
      classes > 100'000)
    throw FileError(text("load: ", path, " does not say what networks it holds"));
  auto networks = repeat(count, [&] { return Network::make_network(study, fusion, widths, classes, {}); });
  load(networks, path);
  eval(networks);
  return {std::move(networks), std::move(widths), classes};
}

}  // namespace

std::vector<fusion::Classifier> load_classifiers(const Study& study, const std::string& fusion,
                                                 const std::string& path) {
  return load_all(study, fusion, path).networks;
}

std::unique_ptr<Fitted> load_fitted(const Study& study, const std::string& fusion, const std::string& path) {
  Kept kept = load_all(study, fusion, path);
  return std::make_unique<FittedNetwork>(std::move(kept.networks), std::move(kept.widths), kept.classes);
}

}  // namespace weft::study
