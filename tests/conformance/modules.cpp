#include <map>

#include <weft/layers/convolution.h>
#include <weft/layers/pooling.h>
#include <weft/layers/recurrent.h>
#include <weft/layers/transformer.h>

#include "module.h"

namespace weft::tests {
namespace {

using Runner = Outcome (*)(Config&, const Suite&, const Json&);

/// For an option of PyTorch's that weft lacks: throws ConfigError unless it has the value that changes nothing.
void expect_only(Config& c, const std::string& name, const Json& neutral) {
  if (c.has(name) && c.at(name) != neutral)
    throw ConfigError("conformance: weft has no " + name + ", the case sets it to " + c.at(name).dump());
}

template <class T>
T choice(Config& c, const std::string& name, T otherwise, const std::map<std::string, T>& words) {
  if (!c.has(name)) return otherwise;
  const auto found = words.find(c.get<std::string>(name));
  if (found == words.end()) throw ConfigError("conformance: unknown " + name + " " + c.at(name).dump());
  return found->second;
}

/// A number, or a list of one for each spatial axis; null among them is -1 (as many as there are).
PerAxis per_axis(Config& c, const std::string& name, const PerAxis& otherwise) {
  if (!c.has(name)) return otherwise;
  const Json& given = c.at(name);
  if (!given.is_array()) return given.get<std::int64_t>();
  Dims each;
  for (const Json& n : given) each.push_back(n.is_null() ? -1 : n.get<std::int64_t>());
  return PerAxis(each);
}

Shape shape_of(Config& c, const std::string& name) {
  const Json& given = c.at(name);
  if (!given.is_array()) return {given.get<std::int64_t>()};
  Shape shape;
  for (const Json& n : given) shape.push_back(n.get<std::int64_t>());
  return shape;
}

/// A row's number, which PyTorch may count from the end; -1: none.
std::int64_t padding_row(Config& c, std::int64_t rows) {
  if (!c.has("padding_idx")) return -1;
  const auto given = c.get<std::int64_t>("padding_idx");
  return given < 0 ? given + rows : given;
}

/// Runs a layer that maps one tensor to one.
template <class M>
Outcome run_layer(M model, const Suite& suite, const Json& one_case) {
  return run_module<M>(std::move(model), suite, one_case, "layer(input)",
                       [](const M& m, const Args& a) { return std::vector<Tensor>{m(a.tensor("input"))}; });
}
/// The same for one of two tensors.
template <class M>
Outcome run_two(M model, const Suite& suite, const Json& one_case) {
  return run_module<M>(std::move(model), suite, one_case, "layer(input1, input2)", [](const M& m, const Args& a) {
    return std::vector<Tensor>{m(a.tensor("input1"), a.tensor("input2"))};
  });
}

// ---- dense layers, tables, activations

Outcome run_linear(Config& c, const Suite& suite, const Json& one_case) {
  LinearOptions o{.in_features = c.get<std::int64_t>("in_features"),
                  .out_features = c.get<std::int64_t>("out_features")};
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_layer(Linear(o), suite, one_case);
}

Outcome run_bilinear(Config& c, const Suite& suite, const Json& one_case) {
  BilinearOptions o{.in1_features = c.get<std::int64_t>("in1_features"),
                    .in2_features = c.get<std::int64_t>("in2_features"),
                    .out_features = c.get<std::int64_t>("out_features")};
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_two(Bilinear(o), suite, one_case);
}

/// What tables have in PyTorch and not in weft. A sparse gradient holds the same numbers, so that may be asked for.
void expect_plain_table(Config& c) {
  expect_only(c, "max_norm", nullptr);
  c.get("norm_type", 2.0);
  expect_only(c, "scale_grad_by_freq", false);
  c.get("sparse", false);
}

Outcome run_embedding(Config& c, const Suite& suite, const Json& one_case) {
  EmbeddingOptions o{.num_embeddings = c.get<std::int64_t>("num_embeddings"),
                     .embedding_dim = c.get<std::int64_t>("embedding_dim")};
  o.padding_idx = padding_row(c, o.num_embeddings);
  expect_plain_table(c);
  c.expect_all_read();
  return run_layer(Embedding(o), suite, one_case);
}

Outcome run_embedding_bag(Config& c, const Suite& suite, const Json& one_case) {
  EmbeddingBagLayerOptions o{.num_embeddings = c.get<std::int64_t>("num_embeddings"),
                             .embedding_dim = c.get<std::int64_t>("embedding_dim")};
  o.mode = choice<BagMode>(c, "mode", o.mode, {{"sum", BagMode::sum}, {"mean", BagMode::mean}, {"max", BagMode::max}});
  o.padding_idx = padding_row(c, o.num_embeddings);
  o.include_last_offset = c.get("include_last_offset", o.include_last_offset);
  expect_plain_table(c);
  c.expect_all_read();
  return run_module<EmbeddingBag>(
      EmbeddingBag(o), suite, one_case, "layer(input, offsets=None, per_sample_weights=None)",
      [](const EmbeddingBag& m, const Args& a) {
        return std::vector<Tensor>{m(a.tensor("input"), a.tensor("offsets"), a.tensor("per_sample_weights"))};
      });
}

Outcome run_prelu(Config& c, const Suite& suite, const Json& one_case) {
  const PReLU layer(c.get<std::int64_t>("num_parameters", 1), c.get("init", 0.25));
  c.expect_all_read();
  return run_layer(layer, suite, one_case);
}

Outcome run_glu(Config& c, const Suite& suite, const Json& one_case) {
  GLU layer;
  layer.axis = c.get("dim", layer.axis);
  c.expect_all_read();
  return run_layer(layer, suite, one_case);
}

Outcome run_flatten(Config& c, const Suite& suite, const Json& one_case) {
  Flatten layer;
  layer.first = c.get("start_dim", layer.first);
  layer.last = c.get("end_dim", layer.last);
  c.expect_all_read();
  return run_layer(layer, suite, one_case);
}

Outcome run_cosine_similarity(Config& c, const Suite& suite, const Json& one_case) {
  CosineSimilarity layer;
  layer.axis = c.get("dim", layer.axis);
  layer.eps = c.get("eps", layer.eps);
  c.expect_all_read();
  return run_two(layer, suite, one_case);
}

// ---- images

template <int axes>
Outcome run_conv(Config& c, const Suite& suite, const Json& one_case) {
  ConvLayerOptions o{.in_channels = c.get<std::int64_t>("in_channels"),
                     .out_channels = c.get<std::int64_t>("out_channels"),
                     .kernel_size = per_axis(c, "kernel_size", {})};
  o.stride = per_axis(c, "stride", o.stride);
  if (c.has("padding") && c.at("padding").is_string())
    o.padding = ConvPadding(std::string_view(c.get<std::string>("padding")));
  else
    o.padding = per_axis(c, "padding", 0);
  o.dilation = per_axis(c, "dilation", o.dilation);
  o.groups = c.get("groups", o.groups);
  o.bias = c.get("bias", o.bias);
  o.padding_mode = choice<PadMode>(c, "padding_mode", o.padding_mode,
                                   {{"zeros", PadMode::constant},
                                    {"reflect", PadMode::reflect},
                                    {"replicate", PadMode::replicate},
                                    {"circular", PadMode::circular}});
  c.expect_all_read();
  return run_layer(Conv<axes>(o), suite, one_case);
}

template <int axes>
Outcome run_conv_transpose(Config& c, const Suite& suite, const Json& one_case) {
  ConvTransposeLayerOptions o{.in_channels = c.get<std::int64_t>("in_channels"),
                              .out_channels = c.get<std::int64_t>("out_channels"),
                              .kernel_size = per_axis(c, "kernel_size", {})};
  o.stride = per_axis(c, "stride", o.stride);
  o.padding = per_axis(c, "padding", o.padding);
  o.output_padding = per_axis(c, "output_padding", o.output_padding);
  o.groups = c.get("groups", o.groups);
  o.bias = c.get("bias", o.bias);
  o.dilation = per_axis(c, "dilation", o.dilation);
  expect_only(c, "padding_mode", "zeros");
  c.expect_all_read();
  return run_layer(ConvTranspose<axes>(o), suite, one_case);
}

/// Runs a pooling that can also tell where its elements lie.
template <class M>
Outcome run_max(M model, bool with_indices, const Suite& suite, const Json& one_case) {
  return run_module<M>(std::move(model), suite, one_case, "layer(input)", [with_indices](const M& m, const Args& a) {
    Tensor indices;
    std::vector<Tensor> outputs{m(a.tensor("input"), with_indices ? &indices : nullptr)};
    if (with_indices) outputs.push_back(indices);
    return outputs;
  });
}

template <int axes>
Outcome run_max_pool(Config& c, const Suite& suite, const Json& one_case) {
  const PerAxis window = per_axis(c, "kernel_size", {});
  MaxPoolOptions o{};
  o.stride = per_axis(c, "stride", o.stride);
  o.padding = per_axis(c, "padding", o.padding);
  o.dilation = per_axis(c, "dilation", o.dilation);
  o.ceil_mode = c.get("ceil_mode", o.ceil_mode);
  const bool with_indices = c.get("return_indices", false);
  c.expect_all_read();
  return run_max(MaxPool<axes>(window, o), with_indices, suite, one_case);
}

template <int axes>
Outcome run_avg_pool(Config& c, const Suite& suite, const Json& one_case) {
  const PerAxis window = per_axis(c, "kernel_size", {});
  AvgPoolOptions o{};
  o.stride = per_axis(c, "stride", o.stride);
  o.padding = per_axis(c, "padding", o.padding);
  o.ceil_mode = c.get("ceil_mode", o.ceil_mode);
  o.count_include_pad = c.get("count_include_pad", o.count_include_pad);
  if (c.has("divisor_override")) o.divisor_override = c.get<std::int64_t>("divisor_override");
  c.expect_all_read();
  return run_layer(AvgPool<axes>(window, o), suite, one_case);
}

template <int axes>
Outcome run_adaptive_max_pool(Config& c, const Suite& suite, const Json& one_case) {
  const PerAxis size = per_axis(c, "output_size", -1);
  const bool with_indices = c.get("return_indices", false);
  c.expect_all_read();
  return run_max(AdaptiveMaxPool<axes>(size), with_indices, suite, one_case);
}

template <int axes>
Outcome run_adaptive_avg_pool(Config& c, const Suite& suite, const Json& one_case) {
  const PerAxis size = per_axis(c, "output_size", -1);
  c.expect_all_read();
  return run_layer(AdaptiveAvgPool<axes>(size), suite, one_case);
}

Outcome run_upsample(Config& c, const Suite& suite, const Json& one_case) {
  InterpolateOptions o{.size = per_axis(c, "size", {})};
  if (c.has("scale_factor")) {
    const Json& given = c.at("scale_factor");
    o.scale_factor = given.is_array() ? given.get<std::vector<double>>() : std::vector<double>{given.get<double>()};
  }
  o.mode = choice<Interpolation>(c, "mode", o.mode,
                                 {{"nearest", Interpolation::nearest},
                                  {"nearest-exact", Interpolation::nearest_exact},
                                  {"linear", Interpolation::linear},
                                  {"bilinear", Interpolation::linear},
                                  {"trilinear", Interpolation::linear},
                                  {"bicubic", Interpolation::cubic},
                                  {"area", Interpolation::area}});
  o.align_corners = c.get("align_corners", o.align_corners);
  o.recompute_scale_factor = c.get("recompute_scale_factor", o.recompute_scale_factor);
  c.expect_all_read();
  return run_layer(Upsample(o), suite, one_case);
}

// ---- norms

Outcome run_layer_norm(Config& c, const Suite& suite, const Json& one_case) {
  LayerNormOptions o{.normalized_shape = shape_of(c, "normalized_shape")};
  o.eps = c.get("eps", o.eps);
  o.elementwise_affine = c.get("elementwise_affine", o.elementwise_affine);
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_layer(LayerNorm(o), suite, one_case);
}

Outcome run_rms_norm(Config& c, const Suite& suite, const Json& one_case) {
  RMSNormOptions o{.normalized_shape = shape_of(c, "normalized_shape")};
  if (c.has("eps")) o.eps = c.get<double>("eps");
  o.elementwise_affine = c.get("elementwise_affine", o.elementwise_affine);
  c.expect_all_read();
  return run_layer(RMSNorm(o), suite, one_case);
}

Outcome run_group_norm(Config& c, const Suite& suite, const Json& one_case) {
  GroupNormOptions o{.num_groups = c.get<std::int64_t>("num_groups"),
                     .num_channels = c.get<std::int64_t>("num_channels")};
  o.eps = c.get("eps", o.eps);
  o.affine = c.get("affine", o.affine);
  c.expect_all_read();
  return run_layer(GroupNorm(o), suite, one_case);
}

Outcome run_batch_norm(Config& c, const Suite& suite, const Json& one_case) {
  BatchNormOptions o{.num_features = c.get<std::int64_t>("num_features")};
  o.eps = c.get("eps", o.eps);
  if (c.is_null("momentum"))
    o.momentum.reset();
  else
    o.momentum = c.get("momentum", *o.momentum);
  o.affine = c.get("affine", o.affine);
  o.track_running_stats = c.get("track_running_stats", o.track_running_stats);
  c.expect_all_read();
  return run_layer(BatchNorm(o), suite, one_case);
}

Outcome run_instance_norm(Config& c, const Suite& suite, const Json& one_case) {
  InstanceNormLayerOptions o{.num_features = c.get<std::int64_t>("num_features")};
  o.eps = c.get("eps", o.eps);
  o.momentum = c.is_null("momentum") ? 0 : c.get("momentum", o.momentum);  // here PyTorch reads none as 0
  o.affine = c.get("affine", o.affine);
  o.track_running_stats = c.get("track_running_stats", o.track_running_stats);
  c.expect_all_read();
  return run_layer(InstanceNorm(o), suite, one_case);
}

// ---- recurrent networks

Nonlinearity nonlinearity(Config& c) {
  return choice<Nonlinearity>(c, "nonlinearity", Nonlinearity::tanh,
                              {{"tanh", Nonlinearity::tanh}, {"relu", Nonlinearity::relu}});
}

/// The options that RNN, LSTM and GRU share.
template <class Options>
Options recurrent_options(Config& c) {
  Options o{.input_size = c.get<std::int64_t>("input_size"), .hidden_size = c.get<std::int64_t>("hidden_size")};
  o.num_layers = c.get("num_layers", o.num_layers);
  o.bias = c.get("bias", o.bias);
  o.batch_first = c.get("batch_first", o.batch_first);
  o.dropout = c.get("dropout", o.dropout);
  o.bidirectional = c.get("bidirectional", o.bidirectional);
  return o;
}

constexpr const char* with_state = "layer(input, hx=None)";

/// An LSTM's state is a list of two.
LSTMState lstm_state(const Args& a) {
  if (!a.has("hx")) return {};
  const std::vector<Tensor> hx = a.tensors("hx");
  if (hx.size() != 2) throw ConfigError(text("conformance: a state of ", hx.size(), " tensors"));
  return {hx[0], hx[1]};
}

template <class M>
Outcome run_recurrent(M model, const Suite& suite, const Json& one_case) {
  return run_module<M>(std::move(model), suite, one_case, with_state, [](const M& m, const Args& a) {
    const RecurrentResult r = m(a.tensor("input"), a.tensor("hx"));
    return std::vector<Tensor>{r.output, r.h};
  });
}

Outcome run_rnn(Config& c, const Suite& suite, const Json& one_case) {
  auto o = recurrent_options<RNNOptions>(c);
  o.nonlinearity = nonlinearity(c);
  c.expect_all_read();
  return run_recurrent(RNN(o), suite, one_case);
}

Outcome run_gru(Config& c, const Suite& suite, const Json& one_case) {
  const auto o = recurrent_options<GRUOptions>(c);
  c.expect_all_read();
  return run_recurrent(GRU(o), suite, one_case);
}

Outcome run_lstm(Config& c, const Suite& suite, const Json& one_case) {
  auto o = recurrent_options<LSTMOptions>(c);
  o.proj_size = c.get("proj_size", o.proj_size);
  c.expect_all_read();
  return run_module<LSTM>(LSTM(o), suite, one_case, with_state, [](const LSTM& m, const Args& a) {
    const LSTMResult r = m(a.tensor("input"), lstm_state(a));
    return std::vector<Tensor>{r.output, r.h, r.c};
  });
}

CellOptions cell_options(Config& c) {
  CellOptions o{.input_size = c.get<std::int64_t>("input_size"), .hidden_size = c.get<std::int64_t>("hidden_size")};
  o.bias = c.get("bias", o.bias);
  return o;
}

template <class M>
Outcome run_cell(M model, const Suite& suite, const Json& one_case) {
  return run_module<M>(std::move(model), suite, one_case, with_state, [](const M& m, const Args& a) {
    return std::vector<Tensor>{m(a.tensor("input"), a.tensor("hx"))};
  });
}

Outcome run_rnn_cell(Config& c, const Suite& suite, const Json& one_case) {
  CellOptions o = cell_options(c);
  o.nonlinearity = nonlinearity(c);
  c.expect_all_read();
  return run_cell(RNNCell(o), suite, one_case);
}

Outcome run_gru_cell(Config& c, const Suite& suite, const Json& one_case) {
  const CellOptions o = cell_options(c);
  c.expect_all_read();
  return run_cell(GRUCell(o), suite, one_case);
}

Outcome run_lstm_cell(Config& c, const Suite& suite, const Json& one_case) {
  const CellOptions o = cell_options(c);
  c.expect_all_read();
  return run_module<LSTMCell>(LSTMCell(o), suite, one_case, with_state, [](const LSTMCell& m, const Args& a) {
    const LSTMState r = m(a.tensor("input"), lstm_state(a));
    return std::vector<Tensor>{r.h, r.c};
  });
}

// ---- attention

Outcome run_attention(Config& c, const Suite& suite, const Json& one_case) {
  MultiheadAttentionOptions o{.embed_dim = c.get<std::int64_t>("embed_dim"),
                              .num_heads = c.get<std::int64_t>("num_heads")};
  o.dropout = c.get("dropout", o.dropout);
  o.bias = c.get("bias", o.bias);
  o.add_bias_kv = c.get("add_bias_kv", o.add_bias_kv);
  o.add_zero_attn = c.get("add_zero_attn", o.add_zero_attn);
  o.kdim = c.get("kdim", o.kdim);
  o.vdim = c.get("vdim", o.vdim);
  o.batch_first = c.get("batch_first", o.batch_first);
  c.expect_all_read();
  return run_module<MultiheadAttention>(
      MultiheadAttention(o), suite, one_case,
      "layer(query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True, "
      "is_causal=False)",
      [](const MultiheadAttention& m, const Args& a) {
        const AttentionWeights weights = !a.flag("need_weights")          ? AttentionWeights::none
                                         : a.flag("average_attn_weights") ? AttentionWeights::mean
                                                                          : AttentionWeights::per_head;
        const auto r = m(a.tensor("query"), a.tensor("key"), a.tensor("value"),
                         {.attn_mask = a.tensor("attn_mask"),
                          .key_padding_mask = a.tensor("key_padding_mask"),
                          .is_causal = a.flag("is_causal")},
                         weights);
        return std::vector<Tensor>{r.output, r.weights};
      });
}

/// The options that all transformers share.
template <class Options>
Options transformer_options(Config& c, Options o) {
  o.d_model = c.get("d_model", o.d_model);
  o.nhead = c.get("nhead", o.nhead);
  o.dim_feedforward = c.get("dim_feedforward", o.dim_feedforward);
  o.dropout = c.get("dropout", o.dropout);
  o.activation =
      choice<Activation>(c, "activation", o.activation, {{"relu", Activation::relu}, {"gelu", Activation::gelu}});
  o.layer_norm_eps = c.get("layer_norm_eps", o.layer_norm_eps);
  o.batch_first = c.get("batch_first", o.batch_first);
  o.norm_first = c.get("norm_first", o.norm_first);
  o.bias = c.get("bias", o.bias);
  return o;
}
TransformerLayerOptions layer_options(Config& c) {
  return transformer_options(
      c, TransformerLayerOptions{.d_model = c.get<std::int64_t>("d_model"), .nhead = c.get<std::int64_t>("nhead")});
}
/// A stack's own options are merged with its layer's.
TransformerStackOptions stack_options(Config& c) {
  expect_only(c, "norm", nullptr);
  c.get("enable_nested_tensor", true);  // these two choose among PyTorch's implementations
  c.get("mask_check", true);
  return {.layer = layer_options(c), .num_layers = c.get<std::int64_t>("num_layers")};
}

/// The masks of one attention, by the names of its arguments. is_causal None: what the mask says, which holds anyway.
AttentionMasks masks(const Args& a, const char* mask, const char* padding, const char* causal) {
  return {
      .attn_mask = a.tensor(mask), .key_padding_mask = a.tensor(padding), .is_causal = a.has(causal) && a.flag(causal)};
}

template <class M>
Outcome run_encoder(M model, const Suite& suite, const Json& one_case, const char* signature, const char* mask) {
  return run_module<M>(std::move(model), suite, one_case, signature, [mask](const M& m, const Args& a) {
    return std::vector<Tensor>{m(a.tensor("src"), masks(a, mask, "src_key_padding_mask", "is_causal"))};
  });
}
template <class M>
Outcome run_decoder(M model, const Suite& suite, const Json& one_case) {
  return run_module<M>(
      std::move(model), suite, one_case,
      "layer(tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None, "
      "tgt_is_causal=None, memory_is_causal=False)",
      [](const M& m, const Args& a) {
        return std::vector<Tensor>{m(a.tensor("tgt"), a.tensor("memory"),
                                     masks(a, "tgt_mask", "tgt_key_padding_mask", "tgt_is_causal"),
                                     masks(a, "memory_mask", "memory_key_padding_mask", "memory_is_causal"))};
      });
}

Outcome run_encoder_layer(Config& c, const Suite& suite, const Json& one_case) {
  const TransformerLayerOptions o = layer_options(c);
  c.expect_all_read();
  return run_encoder(TransformerEncoderLayer(o), suite, one_case,
                     "layer(src, src_mask=None, src_key_padding_mask=None, is_causal=False)", "src_mask");
}
Outcome run_encoder_stack(Config& c, const Suite& suite, const Json& one_case) {
  const TransformerStackOptions o = stack_options(c);
  c.expect_all_read();
  return run_encoder(TransformerEncoder(o), suite, one_case,
                     "layer(src, mask=None, src_key_padding_mask=None, is_causal=None)", "mask");
}
Outcome run_decoder_layer(Config& c, const Suite& suite, const Json& one_case) {
  const TransformerLayerOptions o = layer_options(c);
  c.expect_all_read();
  return run_decoder(TransformerDecoderLayer(o), suite, one_case);
}
Outcome run_decoder_stack(Config& c, const Suite& suite, const Json& one_case) {
  const TransformerStackOptions o = stack_options(c);
  c.expect_all_read();
  return run_decoder(TransformerDecoder(o), suite, one_case);
}

Outcome run_transformer(Config& c, const Suite& suite, const Json& one_case) {
  auto o = transformer_options(c, TransformerOptions{});
  o.num_encoder_layers = c.get("num_encoder_layers", o.num_encoder_layers);
  o.num_decoder_layers = c.get("num_decoder_layers", o.num_decoder_layers);
  expect_only(c, "custom_encoder", nullptr);
  expect_only(c, "custom_decoder", nullptr);
  c.expect_all_read();
  return run_module<Transformer>(
      Transformer(o), suite, one_case,
      "layer(src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None, "
      "tgt_key_padding_mask=None, memory_key_padding_mask=None, src_is_causal=None, tgt_is_causal=None, "
      "memory_is_causal=False)",
      [](const Transformer& m, const Args& a) {
        return std::vector<Tensor>{
            m(a.tensor("src"), a.tensor("tgt"),
              {.source = masks(a, "src_mask", "src_key_padding_mask", "src_is_causal"),
               .target = masks(a, "tgt_mask", "tgt_key_padding_mask", "tgt_is_causal"),
               .memory = masks(a, "memory_mask", "memory_key_padding_mask", "memory_is_causal")})};
      });
}

}  // namespace

Outcome run_layer_case(const Suite& suite, const Json& one_case) {
  static const std::map<std::string, Runner> runners{
      {"AdaptiveAvgPool1d", run_adaptive_avg_pool<1>},
      {"AdaptiveAvgPool2d", run_adaptive_avg_pool<2>},
      {"AdaptiveAvgPool3d", run_adaptive_avg_pool<3>},
      {"AdaptiveMaxPool1d", run_adaptive_max_pool<1>},
      {"AdaptiveMaxPool2d", run_adaptive_max_pool<2>},
      {"AdaptiveMaxPool3d", run_adaptive_max_pool<3>},
      {"AvgPool1d", run_avg_pool<1>},
      {"AvgPool2d", run_avg_pool<2>},
      {"AvgPool3d", run_avg_pool<3>},
      {"BatchNorm1d", run_batch_norm},
      {"BatchNorm2d", run_batch_norm},
      {"BatchNorm3d", run_batch_norm},
      {"Bilinear", run_bilinear},
      {"Conv1d", run_conv<1>},
      {"Conv2d", run_conv<2>},
      {"Conv3d", run_conv<3>},
      {"ConvTranspose1d", run_conv_transpose<1>},
      {"ConvTranspose2d", run_conv_transpose<2>},
      {"ConvTranspose3d", run_conv_transpose<3>},
      {"CosineSimilarity", run_cosine_similarity},
      {"Embedding", run_embedding},
      {"EmbeddingBag", run_embedding_bag},
      {"Flatten", run_flatten},
      {"GLU", run_glu},
      {"GRU", run_gru},
      {"GRUCell", run_gru_cell},
      {"GroupNorm", run_group_norm},
      {"InstanceNorm1d", run_instance_norm},
      {"InstanceNorm2d", run_instance_norm},
      {"InstanceNorm3d", run_instance_norm},
      {"LSTM", run_lstm},
      {"LSTMCell", run_lstm_cell},
      {"LayerNorm", run_layer_norm},
      {"Linear", run_linear},
      {"MaxPool1d", run_max_pool<1>},
      {"MaxPool2d", run_max_pool<2>},
      {"MaxPool3d", run_max_pool<3>},
      {"MultiheadAttention", run_attention},
      {"PReLU", run_prelu},
      {"RMSNorm", run_rms_norm},
      {"RNN", run_rnn},
      {"RNNCell", run_rnn_cell},
      {"Transformer", run_transformer},
      {"TransformerDecoder", run_decoder_stack},
      {"TransformerDecoderLayer", run_decoder_layer},
      {"TransformerEncoder", run_encoder_stack},
      {"TransformerEncoderLayer", run_encoder_layer},
      {"Upsample", run_upsample},
  };
  const auto found = runners.find(one_case.at("module").get<std::string>());
  if (found == runners.end()) return Outcome::skipped;
  Config config(one_case);
  return found->second(config, suite, one_case);
}

}  // namespace weft::tests
