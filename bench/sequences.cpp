#include <cmath>
#include <cstdint>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/attention.h>
#include <weft/autograd/ops/shape.h>
#include <weft/layers/normalization.h>
#include <weft/layers/recurrent.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

#include "encoder.h"
#include "training.h"

using namespace weft;

namespace bench {
namespace {

/// Classes of signals (B, 100, 64) by the last state of two LSTM layers.
struct SignalClassifier {
  LSTM lstm{{.input_size = 64, .hidden_size = 256, .num_layers = 2, .batch_first = true}};
  Linear out{256, 10};
  Tensor operator()(const Tensor& x) const { return out(select(lstm(x).output, 1, -1)); }
  void fields(auto&& f) { f("lstm", lstm, "out", out); }
};
constexpr double lstm_flops = 2.0 * 32 * 100 * 4 * 256 * ((64 + 256) + (256 + 256));  // forward, for 32 signals

double flops_of(const EncoderOptions& o, std::int64_t batch) {
  return static_cast<double>(
      2 * batch * o.sequence * o.num_layers *
      (4 * o.d_model * o.d_model + 2 * o.d_model * o.dim_feedforward + 2 * o.sequence * o.d_model));
}

void add_encoder_training(Cases& cases, const std::string& name, const EncoderOptions& o, std::int64_t batch) {
  cases.push_back({name + "_train_b" + std::to_string(batch), [=] {
                     return counted(
                         classification<optim::AdamW>(Encoder(o), {.lr = 1e-3}, randint(0, o.classes, {batch}),
                                                      randint(0, vocabulary, {batch, o.sequence})),
                         3 * flops_of(o, batch));
                   }});
}

void add_encoder_inference(Cases& cases, const std::string& name, const EncoderOptions& o, std::int64_t batch) {
  cases.push_back(
      {name + "_infer_b" + std::to_string(batch), [=] {
         return counted(inference(Encoder(o), randint(0, vocabulary, {batch, o.sequence})), flops_of(o, batch));
       }});
}

// ---- a GPT that writes one token after the other

constexpr std::int64_t width = 256, heads = 8, per_head = width / heads, words = 8192, context = 256;

/// Keys and values (B, heads, context, per_head) of all tokens so far, for one block.
struct KeyValueCache {
  Tensor keys, values;
  explicit KeyValueCache(std::int64_t batch)
      : keys(zeros({batch, heads, context, per_head})), values(zeros({batch, heads, context, per_head})) {}
};

struct GptBlock {
  LayerNorm norm1{width};
  Linear qkv{width, 3 * width}, projection{width, width};
  LayerNorm norm2{width};
  Linear up{width, 4 * width}, down{4 * width, width};

  /// x (B, L, width): the tokens at place `at` and after; their keys and values join the cache.
  Tensor operator()(const Tensor& x, KeyValueCache& cache, std::int64_t at) const {
    const std::int64_t batch = x.size(0), length = x.size(1), end = at + length;
    const Tensor parts =
        permute(reshape(qkv(norm1(x)), {batch, length, 3, heads, per_head}), {2, 0, 3, 1, 4});  // (3, B, heads, L, ...)
    kernels::copy_into(slice(cache.keys, 2, at, end), select(parts, 0, 1));
    kernels::copy_into(slice(cache.values, 2, at, end), select(parts, 0, 2));
    const Tensor seen = scaled_dot_product_attention(select(parts, 0, 0), slice(cache.keys, 2, 0, end),
                                                     slice(cache.values, 2, 0, end), {.is_causal = length > 1});
    const Tensor y = x + projection(reshape(transpose(seen, 1, 2), {batch, length, width}));
    return y + down(gelu(up(norm2(y))));
  }
  void fields(auto&& f) {
    f("norm1", norm1, "qkv", qkv, "projection", projection, "norm2", norm2, "up", up, "down", down);
  }
};

struct Gpt {
  Embedding tokens{words, width}, positions{context, width};
  std::vector<GptBlock> blocks = repeat(6, [] { return GptBlock(); });
  LayerNorm norm{width};
  Linear head{{.in_features = width, .out_features = words, .bias = false}};

  /// ids (B, L) at place `at` and after -> the scores (B, words) of what follows the last.
  Tensor operator()(const Tensor& ids, std::vector<KeyValueCache>& caches, std::int64_t at) const {
    const auto begin = static_cast<double>(at);
    Tensor x = tokens(ids) + positions(arange(begin, begin + static_cast<double>(ids.size(1))));
    for (std::size_t i = 0; i < blocks.size(); ++i) x = blocks[i](x, caches[i], at);
    return head(norm(select(x, 1, -1)));
  }
  void fields(auto&& f) { f("tokens", tokens, "positions", positions, "blocks", blocks, "norm", norm, "head", head); }
};

/// A prompt of 32 tokens, then 128 that the model chooses itself; one run is a token.
Built decoding(std::int64_t batch) {
  constexpr std::int64_t prompted = 32, written = 128;
  Gpt net;
  eval(net);
  const Tensor prompt = randint(0, words, {batch, prompted});
  auto caches = repeat(net.blocks.size(), [=] { return KeyValueCache(batch); });
  return {[=]() mutable {
            const NoGrad off;
            Tensor scores = net(prompt, caches, 0);
            for (std::int64_t i = 0; i < written; ++i) scores = net(argmax(scores, -1, true), caches, prompted + i);
          },
          written};
}

}  // namespace

void add_sequences(Cases& cases) {
  cases.push_back({"lstm_train_b32", [] {
                     return counted(classification<optim::Adam>(SignalClassifier(), {.lr = 1e-3}, randint(0, 10, {32}),
                                                                randn({32, 100, 64})),
                                    3 * lstm_flops);
                   }});
  cases.push_back({"lstm_infer_b32", [] {
                     return counted(inference(SignalClassifier(), randn({32, 100, 64})), lstm_flops);
                   }});
  cases.push_back({"lstm_infer_b1", [] { return inference(SignalClassifier(), randn({1, 100, 64})); }});

  const EncoderOptions mini{.num_layers = 4, .d_model = 256, .nhead = 4, .dim_feedforward = 1024, .sequence = 128};
  const EncoderOptions base{.num_layers = 2, .d_model = 768, .nhead = 12, .dim_feedforward = 3072, .sequence = 128};
  add_encoder_training(cases, "bertmini", mini, 16);
  for (const std::int64_t batch : {16, 1, 32}) add_encoder_inference(cases, "bertmini", mini, batch);
  add_encoder_training(cases, "bertbase2l", base, 8);
  add_encoder_inference(cases, "bertbase2l", base, 8);

  for (const std::int64_t batch : {1, 8})
    cases.push_back({"gpt_decode_b" + std::to_string(batch), [=] { return decoding(batch); }});
}

}  // namespace bench
