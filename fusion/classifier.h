#pragma once
#include <string>
#include <vector>

#include <weft/fusion/encoder.h>
#include <weft/fusion/fusion.h>

/// A whole model: encoders, a fusion, and a head that decides between classes.
///
///   fusion::Classifier net({.names = {"image", "note"},
///                           .encoders = {{"mlp", {.in_features = 64}}, {"mlp", {.in_features = 300}}},
///                           .fusion = "gate",
///                           .classes = 3});
///   optim::Adam optimizer(parameters(net), {.lr = 1e-3});
///   for (auto& [evidence, target] : loader) {
///     Tensor loss = net.loss(net(evidence), target);
///     loss.backward();
///     optimizer.step();
///     optimizer.zero_grad();
///   }
///   eval(net);
///   std::cout << net(patients).fused.weights;
namespace weft::fusion {

/// An encoder by its kind, or layers of the user's own.
struct EncoderChoice {
  std::string kind = "mlp";
  EncoderOptions options{};
  Encoder own{};  ///< used instead when its width is not 0
};

struct ClassifierOptions {
  std::vector<std::string> names{};       ///< of the modalities
  std::vector<EncoderChoice> encoders{};  ///< one for each
  std::string fusion = "gate";
  std::int64_t classes = 2;
  std::vector<std::int64_t> head{};  ///< hidden layers between the fused features and the classes
  double dropout = 0;                ///< on the fused features and after each hidden layer
  Options method{};                  ///< further options of the fusion; names, widths and classes are filled in
};

struct Output {
  Tensor logits;             ///< (B, C); where decisions are fused, their log-probabilities
  Tensor log_probabilities;  ///< (B, C)
  Fused fused;
};

struct Classifier {
  std::vector<Encoder> encoders;
  Fusion fusion;
  Sequential head;  ///< empty where the fusion decides itself

  /// Throws ConfigError as make() and make_encoder() do, and when names and encoders differ in number.
  explicit Classifier(const ClassifierOptions& options);
  /// A row with nothing present gets the answer for no evidence, and its flag in fused.empty.
  Output operator()(const data::Modalities& raw) const { return decide(encode(encoders, raw)); }
  /// The same from what the encoders made: who asks about one sample with several masks encodes it once.
  Output decide(const data::Modalities& encoded) const;
  /// The cross-entropy of the decision plus what the fusion asks for. target: (B,) int64. Throws as
  /// weft::cross_entropy does, ConfigError when all weights are 0.
  Tensor loss(const Output& output, const Tensor& target, const LossOptions& options = {}) const;

  void fields(auto&& f) { f("encoders", encoders, "fusion", fusion, "head", head); }
};

}  // namespace weft::fusion
