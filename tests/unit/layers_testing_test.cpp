#include <doctest/doctest.h>

#include <weft/autograd/ops.h>
#include <weft/layers/convolution.h>
#include <weft/layers/graph/attention.h>
#include <weft/layers/graph/convolutions.h>
#include <weft/layers/pooling.h>
#include <weft/layers/recurrent.h>
#include <weft/layers/testing.h>
#include <weft/layers/transformer.h>
#include <weft/tensor/create.h>

#include "layers_help.h"

using namespace weft;
using weft::testing::check_module;
using weft::testing::Report;

namespace {

Tensor normal(const Shape& shape, std::uint64_t seed) { return tests::normal(shape, seed, DType::float32); }
Tensor ids(const std::vector<std::int64_t>& numbers) { return from(numbers); }

/// A layer that is called with these arguments passes.
template <class Make, class... Inputs>
void check(const char* name, const Make& make, const Inputs&... inputs) {
  CAPTURE(name);
  const Report report = check_module(make, [&](const auto& m) {
    const auto r = m(inputs...);
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(r)>, Tensor>)
      return std::vector<Tensor>{r};
    else if constexpr (requires { r.weights; })
      return std::vector<Tensor>{r.output, r.weights};
    else if constexpr (requires {
                         r.output;
                         r.c;
                       })
      return std::vector<Tensor>{r.output, r.h, r.c};
    else if constexpr (requires { r.output; })
      return std::vector<Tensor>{r.output, r.h};
    else
      return std::vector<Tensor>{r.h, r.c};
  });
  CHECK_MESSAGE(report, report.message);
}

struct TwiceTheName {
  Tensor a = ones({2}).set_requires_grad(), b = ones({2}).set_requires_grad();
  Tensor operator()(const Tensor& x) const { return x * a * b; }
  void fields(auto&& f) { f("a", a, "a", b); }
};
struct NoGradient {
  Tensor a = ones({2});
  Tensor operator()(const Tensor& x) const { return x * a; }
  void fields(auto&& f) { f("a", a); }
};
struct Unused {
  Linear used{2, 2}, unused{2, 2};
  Tensor operator()(const Tensor& x) const { return used(x); }
  void fields(auto&& f) { f("used", used, "unused", unused); }
};
struct Infinite {
  Tensor a = zeros({2}).set_requires_grad();
  Tensor operator()(const Tensor& x) const { return x * sqrt(a); }
  void fields(auto&& f) { f("a", a); }
};
struct Writes {
  Buffer calls = zeros({1});
  Tensor operator()(const Tensor& x) const {
    Tensor count = calls;
    ++*count.mutable_data<float>();
    return x;
  }
  void fields(auto&& f) { f("calls", calls); }
};
struct Random {
  double p = 0.5;
  Tensor operator()(const Tensor& x) const { return dropout(x, p); }
  void fields(auto&& f) { f("p", p); }
};
struct Counts {
  std::shared_ptr<int> calls = std::make_shared<int>(0);
  Tensor operator()(const Tensor& x) const { return ++*calls == 2 ? x + 1 : x; }  // the call before evaluation
  void visit(const std::string&, Visitor&) {}
};
struct Hides {
  Linear inner{2, 2};
  Tensor operator()(const Tensor& x) const { return inner(x); }
  void visit(const std::string&, Visitor&) {}
};
struct Forgets {
  int factor = 1;
  Forgets() = default;
  explicit Forgets(int n) : factor(n) {}
  Forgets(const Forgets&) {}
  Forgets(Forgets&&) = default;
  Forgets& operator=(const Forgets&) = default;
  ~Forgets() = default;
  Tensor operator()(const Tensor& x) const { return x * factor; }
  void fields(auto&& f) { f("factor", factor); }
};

}  // namespace

TEST_CASE("check_module: dense layers, tables, norms") {
  const Tensor x = normal({6, 4}, 1), image = normal({3, 4, 5}, 2);
  check(
      "Linear", [] { return Linear(4, 3); }, x);
  check(
      "Bilinear", [] { return Bilinear({.in1_features = 4, .in2_features = 4, .out_features = 2}); }, x, x);
  check(
      "Embedding", [] { return Embedding(5, 3); }, ids({0, 4, 1}));
  check(
      "EmbeddingBag", [] { return EmbeddingBag({.num_embeddings = 5, .embedding_dim = 3}); }, ids({0, 4, 1}),
      ids({0, 2}));
  check(
      "Dropout", [] { return Dropout(); }, x);
  check(
      "ReLU", [] { return ReLU(); }, x);
  check(
      "GELU", [] { return GELU(); }, x);
  check(
      "SiLU", [] { return SiLU(); }, x);
  check(
      "Tanh", [] { return Tanh(); }, x);
  check(
      "Sigmoid", [] { return Sigmoid(); }, x);
  check(
      "PReLU", [] { return PReLU(4); }, x);
  check(
      "GLU", [] { return GLU(); }, x);
  check(
      "Apply", [] { return Apply{exp}; }, x);
  check(
      "Flatten", [] { return Flatten(); }, image);
  check(
      "CosineSimilarity", [] { return CosineSimilarity(); }, x, -x);
  check(
      "Sequential", [] { return Sequential(Linear(4, 3), ReLU(), Dropout(), Linear(3, 2)); }, x);
  check(
      "LayerNorm", [] { return LayerNorm(4); }, x);
  check(
      "RMSNorm", [] { return RMSNorm({.normalized_shape = {4}}); }, x);
  check(
      "BatchNorm", [] { return BatchNorm(4); }, x);
  check(
      "GroupNorm", [] { return GroupNorm({.num_groups = 2, .num_channels = 4}); }, image);
  check(
      "InstanceNorm", [] { return InstanceNorm({.num_features = 4, .affine = true, .track_running_stats = true}); },
      image);
}

TEST_CASE("check_module: convolutions and poolings") {
  const Tensor row = normal({2, 4, 6}, 1), image = normal({2, 4, 6, 6}, 2), volume = normal({1, 4, 4, 4, 4}, 3);
  check(
      "Conv1d", [] { return Conv1d({.in_channels = 4, .out_channels = 2, .kernel_size = 3}); }, row);
  check(
      "Conv2d",
      [] {
        return Conv2d(
            {.in_channels = 4, .out_channels = 2, .kernel_size = 3, .padding = 1, .padding_mode = PadMode::reflect});
      },
      image);
  check(
      "Conv3d", [] { return Conv3d({.in_channels = 4, .out_channels = 2, .kernel_size = 3}); }, volume);
  check(
      "ConvTranspose1d", [] { return ConvTranspose1d({.in_channels = 4, .out_channels = 2, .kernel_size = 3}); }, row);
  check(
      "ConvTranspose2d", [] { return ConvTranspose2d({.in_channels = 4, .out_channels = 2, .kernel_size = 3}); },
      image);
  check(
      "ConvTranspose3d", [] { return ConvTranspose3d({.in_channels = 4, .out_channels = 2, .kernel_size = 3}); },
      volume);
  check(
      "MaxPool2d", [] { return MaxPool2d(2); }, image);
  check(
      "AvgPool2d", [] { return AvgPool2d(2); }, image);
  check(
      "AdaptiveMaxPool2d", [] { return AdaptiveMaxPool2d(2); }, image);
  check(
      "AdaptiveAvgPool2d", [] { return AdaptiveAvgPool2d(2); }, image);
  check(
      "Upsample", [] { return Upsample({.scale_factor = {2}}); }, image);
}

TEST_CASE("check_module: recurrent layers, attention, transformers") {
  const Tensor x = normal({5, 3, 4}, 1), step = normal({3, 4}, 2);
  check(
      "RNN", [] { return RNN({.input_size = 4, .hidden_size = 3, .num_layers = 2, .dropout = 0.5}); }, x);
  check(
      "GRU", [] { return GRU({.input_size = 4, .hidden_size = 3, .bidirectional = true}); }, x);
  check(
      "LSTM", [] { return LSTM({.input_size = 4, .hidden_size = 3, .bidirectional = true, .proj_size = 2}); }, x);
  check(
      "RNNCell", [] { return RNNCell({.input_size = 4, .hidden_size = 3}); }, step);
  check(
      "GRUCell", [] { return GRUCell({.input_size = 4, .hidden_size = 3}); }, step);
  check(
      "LSTMCell", [] { return LSTMCell({.input_size = 4, .hidden_size = 3}); }, step);
  check(
      "MultiheadAttention",
      [] { return MultiheadAttention({.embed_dim = 4, .num_heads = 2, .dropout = 0.1, .add_bias_kv = true}); }, x, x,
      x);
  const TransformerLayerOptions layer{.d_model = 4, .nhead = 2, .dim_feedforward = 6};
  check(
      "TransformerEncoderLayer", [&] { return TransformerEncoderLayer(layer); }, x);
  check(
      "TransformerDecoderLayer", [&] { return TransformerDecoderLayer(layer); }, x, x);
  const TransformerStackOptions stack{.layer = layer, .num_layers = 2, .final_norm = true};
  check(
      "TransformerEncoder", [&] { return TransformerEncoder(stack); }, x);
  check(
      "TransformerDecoder", [&] { return TransformerDecoder(stack); }, x, x);
  check(
      "Transformer",
      [] {
        return Transformer(
            {.d_model = 4, .nhead = 2, .num_encoder_layers = 1, .num_decoder_layers = 1, .dim_feedforward = 6});
      },
      x, x);
}

TEST_CASE("check_module: graph layers") {
  const Graph graph(stack({ids({0, 0, 1, 2, 3}), ids({1, 2, 0, 3, 3})}), 4);
  const RelationalGraph related(stack({ids({0, 0, 1, 2, 3}), ids({1, 2, 0, 3, 3})}), ids({0, 1, 0, 1, 1}), 4, 2);
  const Tensor x = normal({4, 3}, 1);
  check(
      "GCNConv", [] { return GCNConv({.in_channels = 3, .out_channels = 2}); }, x, graph);
  check(
      "SAGEConv", [] { return SAGEConv({.in_channels = 3, .out_channels = 2}); }, x, graph);
  check(
      "GraphConv", [] { return GraphConv({.in_channels = 3, .out_channels = 2}); }, x, graph);
  check(
      "GINConv", [] { return GINConv(Sequential(Linear(3, 4), ReLU(), Linear(4, 2)), {.train_eps = true}); }, x, graph);
  check(
      "TAGConv", [] { return TAGConv({.in_channels = 3, .out_channels = 2}); }, x, graph);
  check(
      "SGConv", [] { return SGConv({.in_channels = 3, .out_channels = 2}); }, x, graph);
  check(
      "APPNP", [] { return APPNP({.K = 2, .alpha = 0.1, .dropout = 0.5}); }, x, graph);
  check(
      "LEConv", [] { return LEConv({.in_channels = 3, .out_channels = 2}); }, x, graph);
  check(
      "GatedGraphConv", [] { return GatedGraphConv({.out_channels = 4, .num_layers = 2}); }, x, graph);
  check(
      "RGCNConv", [] { return RGCNConv({.in_channels = 3, .out_channels = 2, .num_relations = 2}); }, x, related);
  check(
      "GATConv", [] { return GATConv({.in_channels = 3, .out_channels = 2, .heads = 2, .dropout = 0.5}); }, x, graph);
  check(
      "GATv2Conv", [] { return GATv2Conv({.in_channels = 3, .out_channels = 2, .heads = 2}); }, x, graph);
  check(
      "TransformerConv", [] { return TransformerConv({.in_channels = 3, .out_channels = 2, .beta = true}); }, x, graph);
}

TEST_CASE("check_module: says what is wrong with a model") {
  const Tensor x = normal({3, 2}, 1);
  const auto message = [&](const auto& make) {
    const Report report = check_module(make, [&](const auto& m) { return m(x); });
    CHECK_FALSE(report);
    return report.message;
  };
  CHECK(message([] { return TwiceTheName(); }) == "check_module: two tensors are named \"a\"");
  CHECK(message([] { return NoGradient(); }) ==
        "check_module: \"a\" is a Tensor and requires no gradient\n  help: make it a Buffer, or require one");
  const Linear one(2, 2);
  CHECK(message([&] { return one; }) ==
        "check_module: \"weight\" of a second model shares its numbers with \"weight\" of the first");
  CHECK(message([] { return Unused(); }) == "check_module: \"unused.weight\" gets no gradient");
  CHECK(message([] { return Infinite(); }) == "check_module: the gradient of \"a\" is not finite");
  CHECK(message([] { return Writes(); }) == "check_module: a call in evaluation changes \"calls\"");
  CHECK(message([] { return Random(); }) == "check_module: two calls in evaluation give different results");
  CHECK(message([] { return Counts(); }) ==
        "check_module: training and evaluation give different results, and no member is a Mode");
  CHECK(message([] { return Forgets(2); }) == "check_module: a clone gives another result");
  CHECK(message([] { return Hides(); }) ==
        "check_module: a new model filled from the file of another gives another result\n  help: list all that makes a "
        "difference in fields(), numbers drawn at random as Tensor or Buffer");
}
