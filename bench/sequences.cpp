#include <cstdint>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops/reduction.h>
#include <weft/autograd/ops/shape.h>
#include <weft/layers/decoder.h>
#include <weft/layers/recurrent.h>
#include <weft/tensor/create.h>

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

/// A prompt of 32 tokens, then 128 that the model chooses itself; one run is a token.
Built decoding(std::int64_t batch) {
  constexpr std::int64_t words = 8192, prompted = 32, written = 128;
  Decoder net({.vocab_size = words, .context = 256, .d_model = 256, .nhead = 8, .num_layers = 6});
  eval(net);
  const Tensor prompt = randint(0, words, {batch, prompted});
  KeyValueCache cache = net.cache(batch);
  return {[=]() mutable {
            const NoGrad off;
            cache.truncate(0);
            Tensor scores = net.next(prompt, cache);
            for (std::int64_t i = 0; i < written; ++i) scores = net.next(argmax(scores, -1, true), cache);
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
  cases.push_back({"bertmini_train_b16_bf16",
                   [=] {
                     return counted(classification_in_bfloat16<optim::AdamW>(
                                        Encoder(mini), {.lr = 1e-3}, randint(0, mini.classes, {16}),
                                        randint(0, vocabulary, {16, mini.sequence})),
                                    3 * flops_of(mini, 16));
                   },
                   true});
  for (const std::int64_t batch : {16, 1, 32}) add_encoder_inference(cases, "bertmini", mini, batch);
  add_encoder_training(cases, "bertbase2l", base, 8);
  add_encoder_inference(cases, "bertbase2l", base, 8);

  for (const std::int64_t batch : {1, 8})
    cases.push_back({"gpt_decode_b" + std::to_string(batch), [=] { return decoding(batch); }});
}

}  // namespace bench
