#include <cstdint>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/elementary.h>
#include <weft/autograd/ops/shape.h>
#include <weft/layers/convolution.h>
#include <weft/layers/pooling.h>
#include <weft/layers/recurrent.h>

#include "encoder.h"
#include "training.h"

using namespace weft;

namespace bench {
namespace {

/// An image, a signal, a text and a row of a table, each encoded to 128 features and weighed by attention.
struct FusionNet {
  Sequential image{Conv2d({.in_channels = 1, .out_channels = 16, .kernel_size = 3, .padding = 1}),
                   ReLU(),
                   MaxPool2d(2),
                   Conv2d({.in_channels = 16, .out_channels = 32, .kernel_size = 3, .padding = 1}),
                   ReLU(),
                   MaxPool2d(2),
                   Flatten(),
                   Linear(32 * 49, 128)};
  Sequential signal{
      Conv1d({.in_channels = 12, .out_channels = 32, .kernel_size = 7, .stride = 2, .padding = 3}), ReLU(),
      Conv1d({.in_channels = 32, .out_channels = 64, .kernel_size = 5, .stride = 2, .padding = 2}), ReLU()};
  LSTM lstm{{.input_size = 64, .hidden_size = 64, .batch_first = true}};
  Linear signal_out{64, 128};
  Encoder text{{.num_layers = 2, .d_model = 128, .nhead = 4, .dim_feedforward = 256, .sequence = 64, .classes = 128}};
  Sequential table{Linear(50, 128), ReLU(), Linear(128, 128)};
  Linear attention{128, 1}, out{128, 2};

  Tensor operator()(const Tensor& images, const Tensor& signals, const Tensor& ids, const Tensor& rows) const {
    const Tensor steps = lstm(transpose(signal(signals), 1, 2)).output;  // (B, T, 64)
    const Tensor z =
        stack({image(images), signal_out(select(steps, 1, -1)), text(ids), table(rows)}, 1);  // (B, 4, 128)
    const Tensor weights = softmax(attention(tanh(z)), 1);                                    // (B, 4, 1)
    return out(sum(weights * z, 1));
  }
  void fields(auto&& f) {
    f("image", image, "signal", signal, "lstm", lstm, "signal_out", signal_out, "text", text, "table", table,
      "attention", attention, "out", out);
  }
};

Tensor images(std::int64_t batch) { return randn({batch, 1, 28, 28}); }
Tensor signals(std::int64_t batch) { return randn({batch, 12, 500}); }
Tensor texts(std::int64_t batch) { return randint(0, vocabulary, {batch, 64}); }
Tensor rows(std::int64_t batch) { return randn({batch, 50}); }

/// A variational autoencoder of images (B, 784). Kingma and Welling (2014).
struct Vae {
  Linear encode{784, 400}, mean{400, 20}, log_variance{400, 20}, decode1{20, 400}, decode2{400, 784};

  /// The negative evidence lower bound, summed over the batch.
  Tensor loss(const Tensor& x) const {
    const Tensor h = relu(encode(x)), mu = mean(h), lv = log_variance(h);
    const Tensor z = mu + randn(mu.shape()) * exp(0.5 * lv);
    const Tensor logits = decode2(relu(decode1(z)));
    return binary_cross_entropy_with_logits(logits, x, Reduction::sum) - 0.5 * sum(1 + lv - mu * mu - exp(lv));
  }
  void fields(auto&& f) {
    f("encode", encode, "mean", mean, "log_variance", log_variance, "decode1", decode1, "decode2", decode2);
  }
};

}  // namespace

void add_fusion(Cases& cases) {
  cases.push_back({"vae_train_b128", [] {
                     return training<optim::Adam>(Vae(), {.lr = 1e-3},
                                                  [x = rand({128, 784})](const Vae& net) { return net.loss(x); });
                   }});
  cases.push_back({"fusion_train_b64", [] {
                     return classification<optim::Adam>(FusionNet(), {.lr = 1e-3}, randint(0, 2, {64}), images(64),
                                                        signals(64), texts(64), rows(64));
                   }});
  for (const std::int64_t batch : {64, 1})
    cases.push_back({"fusion_infer_b" + std::to_string(batch),
                     [=] { return inference(FusionNet(), images(batch), signals(batch), texts(batch), rows(batch)); }});
}

}  // namespace bench
