#include <weft/study/network.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/fusion/classifier.h>
#include <weft/layers/serialize.h>
#include <weft/study/compare.h>
#include <weft/study/training.h>
#include <weft/tensor/create.h>

namespace weft::study {
namespace {

constexpr const char* network_file = "network.safetensors";

/// Everything as float32, which networks compute in.
data::Modalities for_networks(const data::Modalities& x) {
  data::Modalities y = x;
  for (Tensor& f : y.features) f = to(f, DType::float32);
  return y;
}

/// One network, or one per fold: probabilities and weights are their means.
class FittedNetwork final : public Fitted {
 public:
  FittedNetwork(std::vector<fusion::Classifier> networks, std::vector<std::int64_t> widths, std::int64_t classes)
      : networks_(std::move(networks)), widths_(std::move(widths)), classes_(classes) {
    eval(networks_);
  }

  Outcome predict(const data::Modalities& x) const override {
    const data::Modalities rows = for_networks(x);
    Outcome mean;
    for (const fusion::Classifier& net : networks_) {
      const Outcome one = answer(net, rows);
      add(mean.probabilities, one.probabilities);
      add(mean.weights, one.weights);
    }
    return mean;
  }

  void save(const std::string& folder) const override {
    const nlohmann::json about{{"networks", networks_.size()}, {"widths", widths_}, {"classes", classes_}};
    auto networks = networks_;
    weft::save(networks, (std::filesystem::path(folder) / network_file).string(), {{"weft", about.dump()}});
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

  std::unique_ptr<Fitted> fit(const Task& task) const override {
    const data::Modalities all = for_networks(task.x);
    std::vector<std::int64_t> widths;
    for (const Tensor& f : all.features) widths.push_back(f.size(1));
    std::vector<std::int64_t> labels;
    for (const std::int64_t i : task.rows) labels.push_back(task.labels[static_cast<std::size_t>(i)]);
    Training training(study_.train, task, all.rows(task.rows), std::move(labels),
                      [this, &widths, &task] { return make_network(study_, fusion_, widths, task.classes, single_); });
    training.run();
    auto fitted = std::make_unique<FittedNetwork>(std::move(training.networks), widths, task.classes);
    fitted->validation = training.validation;
    fitted->curve = std::move(training.curve);
    return fitted;
  }

  static fusion::Classifier make_network(const Study& study, const std::string& fusion, const std::vector<std::int64_t>& widths,
                                         std::int64_t classes, const std::string& single) {
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
    }
    o.fusion = fusion;
    o.classes = classes;
    o.head = study.fusion.head;
    o.dropout = study.fusion.dropout;
    o.method.width = study.fusion.width;
    o.method.hidden = study.fusion.hidden;
    o.method.temperature = study.fusion.temperature;
    o.method.modality = single;
    if (fusion == "static") o.method.weights = study.fusion.weights;
    return fusion::Classifier(o);
  }

 private:
  Study study_;
  std::string fusion_, single_;
};

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
  for (const std::string& name : study.compare.fusions.empty() ? fusion_names() : study.compare.fusions)
    methods.push_back(make_fusion(study, name));
  return methods;
}

std::unique_ptr<Method> make_fusion(const Study& study, const std::string& name) {
  return std::make_unique<Network>(study, name, name, MethodKind::fusion);
}

std::unique_ptr<Fitted> load_fitted(const Study& study, const std::string& fusion, const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / network_file).string();
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
    throw FileError(text("load: ", path, " holds ", count, " networks of ", widths.size(), " modalities, the study has ",
                         study.modalities.size()));
  auto networks = repeat(count, [&] { return Network::make_network(study, fusion, widths, classes, {}); });
  load(networks, path);
  return std::make_unique<FittedNetwork>(std::move(networks), widths, classes);
}

}  // namespace weft::study
