#include <doctest/doctest.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/bert.h>
#include <weft/layers/testing.h>
#include <weft/layers/transformer.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

#include "data_help.h"
#include "error_of.h"

using namespace weft;
using tests::error_of;
using weft::testing::allclose;

namespace {

BertConfig tiny() {
  return {.vocab_size = 30,
          .hidden_size = 16,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .intermediate_size = 24,
          .max_position_embeddings = 12,
          .labels = {"no", "yes", "perhaps"}};
}
Tensor tokens(const Shape& shape, std::uint64_t seed = 1) {
  Generator g{.seed = seed};
  return randint(1, 30, shape, DType::int64, g);
}

/// A checkpoint's folder; `change` may rename or replace its tensors.
template <class M, class Change>
void write_folder(const TemporaryFolder& folder, M& model, const BertConfig& config, Change change) {
  save_bert_config(config, folder / "");
  TensorFile file{state(model), {}};
  change(file);
  save_tensors(folder / "model.safetensors", file);
}
template <class M>
void write_folder(const TemporaryFolder& folder, M& model, const BertConfig& config) {
  write_folder(folder, model, config, [](TensorFile&) {});
}

}  // namespace

TEST_CASE("bert: what is saved comes back, under older names too") {
  const TemporaryFolder folder;
  manual_seed(1);
  BertForSequenceClassification net(tiny());
  eval(net);
  const BertInputs in{tokens({2, 7})};
  const NoGrad off;
  const Tensor expected = net(in);
  const auto rename = [](TensorFile& file) {
    for (auto& [name, x] : file.tensors) {
      if (name.starts_with("bert.")) name = name.substr(5);
      if (name.ends_with("LayerNorm.weight")) name.replace(name.size() - 6, 6, "gamma");
      if (name.ends_with("LayerNorm.bias")) name.replace(name.size() - 4, 4, "beta");
    }
    file.tensors.emplace_back("embeddings.position_ids", arange(0, 12));
  };
  for (const bool old : {false, true}) {
    old ? write_folder(folder, net, tiny(), rename) : write_folder(folder, net, tiny());
    const BertConfig config = load_bert_config(folder / "");
    CHECK(config.labels == tiny().labels);
    CHECK(config.hidden_size == 16);
    BertForSequenceClassification loaded(config);
    const LoadReport report = load_bert(loaded, folder / "");
    CHECK_MESSAGE(report.complete(), report.text());
    eval(loaded);
    CHECK(to_vector<float>(loaded(in)) == to_vector<float>(expected));
    // The encoder alone: its names have no "bert.", the head is left over.
    Bert alone(config);
    CHECK(load_bert(alone, folder / "").unexpected == std::vector<std::string>{"classifier.bias", "classifier.weight"});
    eval(alone);
    CHECK(to_vector<float>(net.classifier(alone(in).pooler_output)) == to_vector<float>(expected));
  }
  // A new head on an encoder that was trained for something else.
  BertForTokenClassification other(tiny(), {.num_labels = 5});
  write_folder(folder, net.bert, tiny());
  const LoadReport report = load_bert(other, folder / "");
  CHECK(report.missing == std::vector<std::string>{"classifier.weight", "classifier.bias"});
  CHECK(report.unexpected == std::vector<std::string>{"bert.pooler.dense.bias", "bert.pooler.dense.weight"});
  CHECK(to_vector<float>(other.bert.layers[1].query.weight) == to_vector<float>(net.bert.layers[1].query.weight));
}

TEST_CASE("bert: tied tensors of a masked-word head are found under either name") {
  const TemporaryFolder folder;
  manual_seed(8);
  BertForMaskedLM net(tiny()), loaded(tiny());
  kernels::copy_into(net.bias, randn({30}));
  write_folder(folder, net, tiny(), [&](TensorFile& file) {
    for (auto& [name, x] : file.tensors)
      if (name == "cls.predictions.bias") name = "cls.predictions.decoder.bias";
    file.tensors.emplace_back("cls.predictions.decoder.weight", net.bert.embeddings.word_embeddings.weight);
  });
  const LoadReport report = load_bert(loaded, folder / "");
  CHECK_MESSAGE(report.complete(), report.text());
  CHECK(to_vector<float>(loaded.bias) == to_vector<float>(net.bias));
  folder.write("config.json", R"({"tie_word_embeddings": false})");
  CHECK(error_of([&] { load_bert_config(folder / ""); }) ==
        "ConfigError: load_bert_config: " + (folder / "/config.json") +
            ": tie_word_embeddings is false, weft's BERT has true only");
}

TEST_CASE("bert: a wrong folder is refused with what is wrong") {
  const TemporaryFolder folder;
  Bert net(tiny());
  const std::string path = folder / "model.safetensors", config_path = folder / "/config.json";
  CHECK(error_of([&] { load_bert_config(folder / ""); }) ==
        "FileError: load_bert_config: cannot open " + config_path + ": No such file or directory");
  CHECK(error_of([&] { load_bert(net, folder / ""); }) ==
        "FileError: load_bert: " + (folder / "") + " has no model.safetensors");
  folder.write("pytorch_model.bin", "x");
  CHECK(error_of([&] { load_bert(net, folder / ""); }) ==
        "FileError: load_bert: " + (folder / "") +
            " has no model.safetensors\n  help: convert pytorch_model.bin with its own tools");
  const auto of_config = [&](const std::string& json) {
    folder.write("config.json", json);
    const std::string message = error_of([&] { load_bert_config(folder / ""); });
    const auto at = message.find(config_path);
    return at == std::string::npos ? message : message.substr(at + config_path.size());
  };
  CHECK(of_config("{") == " is not a JSON object");
  CHECK(of_config("{}") == "nothing");
  CHECK(of_config(R"({"hidden_act": "gleu"})") ==
        " asks for the activation \"gleu\", which weft has not; the closest name is \"gelu\"");
  CHECK(of_config(R"({"hidden_act": 3})") == ": hidden_act is 3, not a name");
  CHECK(of_config(R"({"model_type": "roberta"})") == ": model_type is \"roberta\", weft's BERT has \"bert\" only");
  CHECK(of_config(R"({"position_embedding_type": "relative_key"})") ==
        ": position_embedding_type is \"relative_key\", weft's BERT has \"absolute\" only");
  CHECK(of_config(R"({"hidden_size": "48"})") == ": hidden_size is \"48\", not a whole number");
  CHECK(of_config(R"({"layer_norm_eps": "x"})") == ": layer_norm_eps is \"x\", not a number");
  CHECK(of_config(R"({"id2label": {"0": "a", "2": "b"}})") ==
        R"(: id2label is {"0":"a","2":"b"}, not a name for each number from 0 to 1)");
  BertConfig c = tiny();
  c.num_attention_heads = 3;
  CHECK(error_of([&] { Bert{c}; }) == "ConfigError: bert: hidden_size 16 is not a multiple of the 3 attention heads");
  c.num_attention_heads = 0;
  CHECK(error_of([&] { Bert{c}; }) == "ConfigError: bert: num_attention_heads is 0, must be 1 or more");
  c = tiny();
  c.num_hidden_layers = -1;
  CHECK(error_of([&] { Bert{c}; }) == "ConfigError: bert: num_hidden_layers is -1");
  CHECK(error_of([] { tiny().check_vocabulary(31); }) ==
        "ConfigError: bert: the vocabulary has 31 tokens, the model 30\n"
        "  help: take vocab.txt and config.json from one folder");
  CHECK(error_of([] { BertForTokenClassification(BertConfig{.vocab_size = 3, .num_hidden_layers = 0}); }) ==
        "ConfigError: bert: a head without labels\n  help: set num_labels");

  // Other sizes than the config says, and a tensor that is not there; the model stays as it was.
  write_folder(folder, net, tiny());
  BertConfig large = tiny();
  large.intermediate_size = 32;
  Bert wider(large);
  const auto before = to_vector<float>(wider.embeddings.word_embeddings.weight);
  CHECK(error_of([&] { load_bert(wider, folder / ""); }) ==
        "FileError: load_bert: " + (folder / "/model.safetensors") +
            " does not fit the model:\n"
            "\"encoder.layer.0.intermediate.dense.weight\": the file has shape [24, 16], the model [32, 16]\n"
            "\"encoder.layer.0.intermediate.dense.bias\": the file has shape [24], the model [32]\n"
            "\"encoder.layer.0.output.dense.weight\": the file has shape [16, 24], the model [16, 32]\n"
            "and 3 more");
  CHECK(to_vector<float>(wider.embeddings.word_embeddings.weight) == before);
  write_folder(folder, net, tiny(), [](TensorFile& file) { file.tensors.erase(file.tensors.begin() + 5); });
  CHECK(error_of([&] { load_bert(net, folder / ""); }) ==
        "FileError: load_bert: " + (folder / "/model.safetensors") +
            " does not fit the model:\nthe file has no \"encoder.layer.0.attention.self.query.weight\"");
  std::filesystem::remove(path);
  std::filesystem::remove(folder / "pytorch_model.bin");
  folder.write("model.safetensors.index.json", "{}");
  CHECK(contains(error_of([&] { load_bert(net, folder / ""); }), "help: join its parts with its own tools"));
  CHECK(error_of([&] { save_bert_config(tiny(), folder / "no"); }) ==
        "FileError: save_bert_config: cannot write " + (folder / "no") + "/config.json: No such file or directory");
}

TEST_CASE("bert: inputs that do not fit") {
  Bert net(tiny());
  CHECK(error_of([&] {
          net({tokens({1, 13})});
        }) == "ShapeError: bert: a text of 13 tokens, the model has 12 positions\n  help: encode with max_length = 12");
  CHECK(error_of([&] { net({tokens({5})}); }) == "ShapeError: bert: ids are [5], not (texts, tokens)");
  CHECK(error_of([&] {
          net({tokens({1, 5}), zeros({1, 4}, DType::int64)});
        }) == "ShapeError: bert: types are [1, 4], ids [1, 5]");
  CHECK(error_of([&] {
          net({tokens({1, 5}), Tensor(), ones({2, 5})});
        }) == "ShapeError: bert: the attention mask is [2, 5], ids [1, 5]");
  CHECK(error_of([&] {
          net({full({1, 2}, 30, DType::int64)});
        }) ==
        "ConfigError: embedding: id 30 at position 0 is not a row of a table of 30\n"
        "  help: use ids from 0 to 29");
  BertForMaskedLM lm(tiny());
  CHECK(error_of([&] {
          lm.loss({tokens({1, 5})}, zeros({1, 4}, DType::int64));
        }) == "ShapeError: bert: labels are [1, 4], the tokens [1, 5]");
  CHECK(error_of([&] {
          lm.loss({tokens({1, 5})}, full({1, 5}, -100, DType::int64));
        }) ==
        "ConfigError: bert: no token of the batch has a label\n"
        "  help: pass over batches whose labels are all -100");
}

TEST_CASE("bert: padding changes nothing, and no mask is a mask of ones") {
  manual_seed(2);
  Bert net(tiny());
  eval(net);
  const NoGrad off;
  const Tensor ids = tokens({1, 6}), longer = cat({ids, tokens({1, 4}, 9)}, 1);
  const Tensor mask = cat({ones({1, 6}, DType::int64), zeros({1, 4}, DType::int64)}, 1);
  const BertOutput plain = net({ids}), padded = net({longer, Tensor(), mask});
  CHECK(allclose(slice(padded.last_hidden_state, 1, 0, 6), plain.last_hidden_state, {.atol = 1e-6, .rtol = 1e-5}));
  CHECK(allclose(padded.pooler_output, plain.pooler_output, {.atol = 1e-6, .rtol = 1e-5}));
  CHECK(allclose(net({ids, zeros({1, 6}, DType::int64), ones({1, 6})}).pooler_output, plain.pooler_output,
                 {.atol = 1e-6, .rtol = 1e-5}));
  // The second text's type is heard.
  CHECK_FALSE(allclose(net({ids, ones({1, 6}, DType::int64)}).pooler_output, plain.pooler_output));
  CHECK(net({ids}, true).hidden_states.size() == 3);
}

TEST_CASE("bert: a layer is PyTorch's encoder layer under other names") {
  manual_seed(6);
  const BertLayer layer(tiny());
  TransformerEncoderLayer other({.d_model = 16,
                                 .nhead = 2,
                                 .dim_feedforward = 24,
                                 .dropout = 0,
                                 .activation = Activation::gelu,
                                 .layer_norm_eps = 1e-12,
                                 .batch_first = true});
  const auto set = [](const Tensor& to, const Tensor& from) { kernels::copy_into(to, from); };
  set(other.self_attn.in_proj_weight, cat({layer.query.weight, layer.key.weight, layer.value.weight}));
  set(other.self_attn.in_proj_bias, cat({layer.query.bias, layer.key.bias, layer.value.bias}));
  set(other.self_attn.out_proj.weight, layer.attention_output.weight);
  set(other.linear1.weight, layer.intermediate.weight);
  set(other.linear2.weight, layer.output.weight);
  for (const Tensor& bias : {other.self_attn.out_proj.bias, other.linear1.bias, other.linear2.bias})
    kernels::fill(bias, 0);
  BertLayer still = layer;
  eval(still);
  const NoGrad off;
  Generator g{.seed = 3};
  const Tensor x = randn({2, 5, 16}, 0, 1, DType::float32, g);
  Tensor hidden = zeros({2, 5}, DType::boolean);  // PyTorch's masks say what is hidden
  hidden.mutable_data<bool>()[4] = true;
  const auto close = allclose(still(x, reshape(logical_not(hidden), {2, 1, 1, 5})),
                              other(x, {.key_padding_mask = hidden}), {.atol = 1e-5, .rtol = 1e-5});
  CHECK_MESSAGE(close, close.message);
}

TEST_CASE("bert: it learns hidden words and, from few examples, tags") {
  manual_seed(7);
  BertConfig c = tiny();
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = 0;
  c.initializer_range = 0.2;  // for 16 features, not 768
  // Each word is two above the one before; tag 1 is for what is above 15.
  const auto texts = [](std::int64_t n) { return (randint(2, 20, {n, 1}) + unsqueeze(arange(0, 10, 2), 0)); };
  BertForMaskedLM reader(c);
  optim::Adam optimizer(parameters(reader), {.lr = 1e-2});
  double first = 0, last = 0;
  for (int step = 0; step < 800; ++step) {
    const Tensor ids = texts(16);
    Tensor hidden = kernels::copy(ids), labels = full({16, 5}, -100, DType::int64);
    kernels::copy_into(select(labels, 1, step % 5), select(ids, 1, step % 5));
    kernels::fill(select(hidden, 1, step % 5), 1);
    const Tensor loss = reader.loss({hidden}, labels);
    (step == 0 ? first : last) = loss.item();
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  CHECK(first > 3);
  CHECK(last < 2);
  BertForTokenClassification tagger(c, {.num_labels = 2});
  tagger.bert = clone(reader.bert);
  optim::Adam tuner(parameters(tagger), {.lr = 5e-3});
  for (int step = 0; step < 30; ++step) {
    const Tensor ids = texts(16);
    tagger.loss({ids}, to(gt(ids, 15), DType::int64)).backward();
    tuner.step();
    tuner.zero_grad();
  }
  const NoGrad off;
  eval(tagger);
  const Tensor ids = texts(50), right = eq(argmax(tagger({ids}), 2), to(gt(ids, 15), DType::int64));
  CHECK(mean(to(right, DType::float32)).item() > 0.95);
}

TEST_CASE("bert: each activation is another model") {
  std::vector<std::vector<float>> all;
  for (const auto a : {BertActivation::gelu, BertActivation::gelu_tanh, BertActivation::relu, BertActivation::silu}) {
    BertConfig c = tiny();
    c.hidden_act = a;
    const TemporaryFolder folder;
    save_bert_config(c, folder / "");
    CHECK(load_bert_config(folder / "").hidden_act == a);
    manual_seed(3);
    Bert net(c);
    eval(net);
    for (auto& layer : net.layers) kernels::copy_into(layer.intermediate.weight, randn({24, 16}));
    all.push_back(to_vector<float>(net({tokens({1, 4})}).last_hidden_state));
  }
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK(all[i] != all[j]);
}

TEST_CASE("bert: models like any other") {
  const BertInputs in{tokens({2, 5})};
  const Tensor labels = tokens({2, 5}, 4);
  const auto passes = [](const auto& report) { CHECK_MESSAGE(report, report.message); };
  passes(testing::check_module([] { return BertForSequenceClassification(tiny()); },
                               [&](const auto& m) { return m(in); }));
  passes(
      testing::check_module([] { return BertForTokenClassification(tiny()); }, [&](const auto& m) { return m(in); }));
  passes(testing::check_module([] { return BertForMaskedLM(tiny()); }, [&](const auto& m) { return m(in); }));
  // The loss scores the labelled places only, and equals that of all scores.
  manual_seed(4);
  BertForMaskedLM lm(tiny());
  eval(lm);
  Tensor some = kernels::copy(labels);
  some.mutable_data<std::int64_t>()[3] = -100;
  const NoGrad off;
  CHECK(lm.loss(in, some).item() ==
        doctest::Approx(cross_entropy(reshape(lm(in), {10, 30}), reshape(some, {10})).item()).epsilon(1e-5));
}
