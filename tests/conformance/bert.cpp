#include <weft/autograd/grad.h>
#include <weft/layers/bert.h>

#include "cases.h"

/// bert/: a checkpoint with its inputs and results in io.safetensors.
namespace weft::tests {
namespace {

/// What float32 sums in another order amount to; Transformers' own tests allow 1e-4.
const Json tolerance = {{"tolerance", {1e-5, 1e-4}}};

Tensor scores(const BertConfig& config, const std::string& folder, const BertInputs& in, const Tensor& expected) {
  const auto run = [&](auto net) {
    const LoadReport report = load_bert(net, folder);
    if (!report.missing.empty()) throw Mismatch("bert: " + report.text());
    eval(net);
    return net(in);
  };
  if (expected.dim() == 2) return run(BertForSequenceClassification(config, {.num_labels = expected.size(1)}));
  if (expected.dim() == 3 && expected.size(2) == config.vocab_size) return run(BertForMaskedLM(config));
  return run(BertForTokenClassification(config, {.num_labels = expected.size(-1)}));
}

}  // namespace

Outcome run_bert(const std::string& folder) {
  const BertConfig config = load_bert_config(folder);
  const TensorFile io = load_tensors(folder + "/io.safetensors");
  const auto find = [&](const char* name) {
    for (const auto& [key, x] : io.tensors)
      if (key == name) return x;
    return Tensor();
  };
  const BertInputs in{io.at("input_ids"), find("token_type_ids"), find("attention_mask")};
  const NoGrad off;
  Bert bert(config, find("pooler_output").defined());
  load_bert(bert, folder);
  eval(bert);
  const BertOutput out = bert(in, true);
  const auto compare = [&](const char* name, const Tensor& actual) {
    if (const Tensor expected = find(name); expected.defined()) expect_close(actual, expected, tolerance, name);
  };
  compare("embedding_output", out.hidden_states.front());
  for (std::size_t i = 0; i < out.hidden_states.size(); ++i)
    compare(("hidden_states." + std::to_string(i)).c_str(), out.hidden_states[i]);
  expect_close(out.last_hidden_state, io.at("last_hidden_state"), tolerance, "last_hidden_state");
  compare("pooler_output", out.pooler_output);
  if (const Tensor expected = find("logits"); expected.defined())
    compare("logits", scores(config, folder, in, expected));
  return Outcome::passed;
}

}  // namespace weft::tests
