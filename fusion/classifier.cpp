#include <weft/fusion/classifier.h>

#include <weft/autograd/ops.h>

namespace weft::fusion {
namespace {

std::vector<Encoder> encoders_of(const ClassifierOptions& o) {
  if (o.encoders.size() != o.names.size())
    throw ConfigError(text("classifier: ", o.encoders.size(), " encoders for ", o.names.size(), " modalities"));
  std::vector<Encoder> encoders;
  for (const EncoderChoice& each : o.encoders)
    encoders.push_back(each.own.width != 0 ? each.own : make_encoder(each.kind, each.options));
  return encoders;
}

Fusion fusion_of(const ClassifierOptions& o, const std::vector<Encoder>& encoders) {
  Options options = o.method;
  options.names = o.names;
  options.widths.clear();
  for (const Encoder& each : encoders) options.widths.push_back(each.width);
  options.classes = o.classes;
  return make(o.fusion, options);
}

Sequential head_of(const ClassifierOptions& o) {
  if (o.classes < 2) throw ConfigError(text("classifier: classes is ", o.classes, "\n  help: choose 2 or more"));
  Sequential head;
  std::int64_t in = o.method.width;
  const auto add_dropout = [&] {
    if (o.dropout != 0) head.add(Dropout(o.dropout));
  };
  add_dropout();
  for (const std::int64_t width : o.head) {
    if (width < 1)
      throw ConfigError(text("classifier: a layer of the head has ", width, " features\n  help: choose 1 or more"));
    head.add(Linear({.in_features = in, .out_features = width, .dtype = o.method.dtype})).add(ReLU());
    add_dropout();
    in = width;
  }
  head.add(Linear({.in_features = in, .out_features = o.classes, .dtype = o.method.dtype}));
  return head;
}

}  // namespace

Classifier::Classifier(const ClassifierOptions& o)
    : encoders(encoders_of(o)), fusion(fusion_of(o, encoders)), head(fusion.decides() ? Sequential() : head_of(o)) {}

Output Classifier::decide(const data::Modalities& encoded) const {
  Output out;
  out.fused = fusion(encoded);
  // Log-probabilities are logits as well: softmax(log p) = p. So one loss is right for both kinds of fusion.
  out.logits = out.fused.decision.defined() ? out.fused.decision : head(out.fused.features);  // (B, C)
  out.log_probabilities = out.fused.decision.defined() ? out.fused.decision : log_softmax(out.logits, 1);
  return out;
}

Tensor Classifier::loss(const Output& output, const Tensor& target, const LossOptions& options) const {
  Tensor total = decision_loss(output.logits, target, options);
  if (!total.defined()) throw ConfigError("classifier: the weights of all samples are 0, so there is no loss");
  const Tensor asked = fusion.auxiliary_loss(output.fused, target, options);
  if (asked.defined()) total = total + asked;
  if (output.fused.auxiliary.defined()) total = total + output.fused.auxiliary;
  return total;
}

}  // namespace weft::fusion
