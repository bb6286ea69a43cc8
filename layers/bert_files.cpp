#include <weft/layers/bert.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include <weft/tensor/kernels.h>
#include <weft/tensor/names.h>

/// Folders as Hugging Face's tools write them.
namespace weft {
namespace {

using Json = nlohmann::ordered_json;

struct NamedActivation {
  const char* name;
  BertActivation activation;
};
/// The first name of each is the one that is written.
constexpr NamedActivation activations[] = {
    {"gelu", BertActivation::gelu},        {"gelu_new", BertActivation::gelu_tanh},
    {"relu", BertActivation::relu},        {"silu", BertActivation::silu},
    {"swish", BertActivation::silu},       {"gelu_pytorch_tanh", BertActivation::gelu_tanh},
    {"gelu_python", BertActivation::gelu},
};

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& folder) : path_(folder + "/config.json") {
    std::ifstream in(path_, std::ios::binary);
    if (!in) throw FileError(text("load_bert_config: cannot open ", path_, ": ", std::strerror(errno)));
    json_ = Json::parse(in, nullptr, false);
    if (!json_.is_object()) throw FileError(text("load_bert_config: ", path_, " is not a JSON object"));
  }

  void read(const char* name, std::int64_t& to) const {
    const Json* found = find(name);
    if (!found) return;
    if (!found->is_number_integer()) wrong(name, *found, "a whole number");
    to = found->get<std::int64_t>();
  }
  void read(const char* name, double& to) const {
    const Json* found = find(name);
    if (!found) return;
    if (!found->is_number()) wrong(name, *found, "a number");
    to = found->get<double>();
  }
  void read(const char* name, BertActivation& to) const {
    const Json* found = find(name);
    if (!found) return;
    if (!found->is_string()) wrong(name, *found, "a name");
    std::vector<std::string> names;
    for (const NamedActivation& each : activations) {
      if (*found == each.name) {
        to = each.activation;
        return;
      }
      names.emplace_back(each.name);
    }
    throw ConfigError(text("load_bert_config: ", path_, " asks for the activation ", found->dump(),
                           ", which weft has not", closest(found->get<std::string>(), names)));
  }
  /// Throws unless the file says nothing or this.
  void expect(const char* name, const Json& wanted) const {
    const Json* found = find(name);
    if (found && *found != wanted)
      throw ConfigError(text("load_bert_config: ", path_, ": ", name, " is ", found->dump(), ", weft's BERT has ",
                             wanted.dump(), " only"));
  }
  std::vector<std::string> labels() const {
    const Json* found = find("id2label");
    if (!found) return {};
    std::vector<std::string> names(found->size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto each = found->find(std::to_string(i));
      if (!found->is_object() || each == found->end() || !each->is_string())
        wrong("id2label", *found, text("a name for each number from 0 to ", names.size() - 1));
      names[i] = each->get<std::string>();
    }
    return names;
  }

 private:
  const Json* find(const char* name) const {
    const auto found = json_.find(name);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  [[noreturn]] void wrong(const char* name, const Json& value, const std::string& wanted) const {
    throw FileError(text("load_bert_config: ", path_, ": ", name, " is ", value.dump(), ", not ", wanted));
  }
  std::string path_;
  Json json_;
};

/// The name that weft's model has for a tensor of the file.
std::string present_name(const std::string& name, bool inside) {
  std::string out = name;
  for (const auto& [old, now] : {std::pair(".gamma", ".weight"), std::pair(".beta", ".bias")})
    if (out.ends_with(old)) out.replace(out.size() - std::strlen(old), std::string::npos, now);
  const bool prefixed = out.starts_with("bert.");
  if (inside && prefixed) return out.substr(5);
  const bool part = out.starts_with("embeddings.") || out.starts_with("encoder.") || out.starts_with("pooler.");
  return !inside && part ? "bert." + out : out;
}

/// What a file may have and no model needs: numbers 0, 1, 2 ..., and a second copy of what is tied.
bool is_redundant(const std::string& name) {
  return name.ends_with("embeddings.position_ids") || name.ends_with("embeddings.token_type_ids") ||
         name == "cls.predictions.decoder.weight" || name == "cls.predictions.decoder.bias";
}

}  // namespace

BertConfig load_bert_config(const std::string& folder) {
  const ConfigFile file(folder);
  file.expect("model_type", "bert");
  file.expect("position_embedding_type", "absolute");
  file.expect("is_decoder", false);
  file.expect("tie_word_embeddings", true);
  BertConfig c;
  file.read("vocab_size", c.vocab_size);
  file.read("hidden_size", c.hidden_size);
  file.read("num_hidden_layers", c.num_hidden_layers);
  file.read("num_attention_heads", c.num_attention_heads);
  file.read("intermediate_size", c.intermediate_size);
  file.read("max_position_embeddings", c.max_position_embeddings);
  file.read("type_vocab_size", c.type_vocab_size);
  file.read("pad_token_id", c.pad_token_id);
  file.read("hidden_act", c.hidden_act);
  file.read("hidden_dropout_prob", c.hidden_dropout_prob);
  file.read("attention_probs_dropout_prob", c.attention_probs_dropout_prob);
  file.read("classifier_dropout", c.classifier_dropout);
  file.read("layer_norm_eps", c.layer_norm_eps);
  file.read("initializer_range", c.initializer_range);
  c.labels = file.labels();
  return c;
}

void save_bert_config(const BertConfig& c, const std::string& folder) {
  Json json = {{"architectures", {"BertModel"}},
               {"model_type", "bert"},
               {"vocab_size", c.vocab_size},
               {"hidden_size", c.hidden_size},
               {"num_hidden_layers", c.num_hidden_layers},
               {"num_attention_heads", c.num_attention_heads},
               {"intermediate_size", c.intermediate_size},
               {"max_position_embeddings", c.max_position_embeddings},
               {"type_vocab_size", c.type_vocab_size},
               {"pad_token_id", c.pad_token_id},
               {"hidden_dropout_prob", c.hidden_dropout_prob},
               {"attention_probs_dropout_prob", c.attention_probs_dropout_prob},
               {"layer_norm_eps", c.layer_norm_eps},
               {"initializer_range", c.initializer_range}};
  for (const NamedActivation& each : activations)
    if (each.activation == c.hidden_act && !json.contains("hidden_act")) json["hidden_act"] = each.name;
  if (c.classifier_dropout >= 0) json["classifier_dropout"] = c.classifier_dropout;
  for (std::size_t i = 0; i < c.labels.size(); ++i) {
    json["id2label"][std::to_string(i)] = c.labels[i];
    json["label2id"][c.labels[i]] = i;
  }
  const std::string path = folder + "/config.json";
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  out.close();
  if (!out) throw FileError(text("save_bert_config: cannot write ", path, ": ", std::strerror(errno)));
}

LoadReport detail::load_bert(const Walk& walk, const std::string& folder) {
  const std::string path = folder + "/model.safetensors";
  if (!std::filesystem::exists(path)) {
    const bool pickled = std::filesystem::exists(folder + "/pytorch_model.bin"),
               parts = std::filesystem::exists(folder + "/model.safetensors.index.json");
    throw FileError(text("load_bert: ", folder, " has no model.safetensors",
                         pickled ? "\n  help: convert pytorch_model.bin with its own tools"
                         : parts ? "\n  help: join its parts with its own tools"
                                 : ""));
  }
  const TensorFile file = load_tensors(path);
  const auto wanted = collect(walk, true, true);
  const bool inside = !wanted.empty() && !wanted.front().first.starts_with("bert.");
  std::map<std::string, const Tensor*> have;
  for (const auto& [name, x] : file.tensors) have[present_name(name, inside)] = &x;

  // What is tied may be stored under either name.
  if (const auto tied = have.find("cls.predictions.decoder.bias"); tied != have.end())
    have.emplace("cls.predictions.bias", tied->second);

  LoadReport report, failures;
  std::vector<std::pair<Tensor, const Tensor*>> fits;
  for (const auto& [name, x] : wanted) {
    const auto found = have.find(name);
    if (found == have.end()) {
      const std::string_view part = std::string_view(name).substr(inside ? 0 : name.starts_with("bert.") ? 5 : 0);
      const bool needed = part.starts_with("embeddings.") || part.starts_with("encoder.");
      (needed ? failures : report).missing.push_back(name);
      continue;
    }
    if (found->second->shape() == x.shape())
      fits.emplace_back(x, found->second);
    else
      failures.misshapen.push_back(
          text("\"", name, "\": the file has shape ", found->second->shape(), ", the model ", x.shape()));
    have.erase(found);
  }
  for (const auto& [name, x] : have)
    if (!is_redundant(name)) report.unexpected.push_back(name);
  if (!failures.complete()) {
    const std::size_t more = failures.missing.size() + failures.misshapen.size();
    LoadReport shown = failures;  // one wrong number in config.json is found in every layer
    shown.missing.resize(std::min<std::size_t>(3, shown.missing.size()));
    shown.misshapen.resize(std::min<std::size_t>(3, shown.misshapen.size()));
    const std::size_t left = more - shown.missing.size() - shown.misshapen.size();
    throw FileError(text("load_bert: ", path, " does not fit the model:\n", shown.text(),
                         left > 0 ? text("\nand ", left, " more") : ""));
  }
  for (const auto& [x, from] : fits) {
    kernels::copy_into(x, *from);
    ++x.body().storage->version;
  }
  return report;
}

}  // namespace weft
