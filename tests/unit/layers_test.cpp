#include <doctest/doctest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/layers/initialize.h>
#include <weft/layers/serialize.h>
#include <weft/tensor/create.h>

using namespace weft;

namespace {

struct Block {
  Linear inner{3, 3};
  std::optional<LayerNorm> norm;
  void fields(auto&& f) { f("inner", inner, "norm", norm); }
};

struct Net {
  std::vector<Block> blocks = repeat(2, [] { return Block{}; });
  BatchNorm bn{3};
  Dropout drop{0.5};
  Linear out{3, 2};
  int steps = 3;
  std::string note = "plain members are listed too";
  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const Block& b : blocks) y = relu(b.inner(y));
    return out(drop(bn(y)));
  }
  void fields(auto&& f) { f("blocks", blocks, "bn", bn, "drop", drop, "out", out, "steps", steps, "note", note); }
};

struct Other {
  Linear hidden{3, 3};
  Linear ouut{3, 2};
  void fields(auto&& f) { f("hidden", hidden, "ouut", ouut); }
};
struct Model {
  Linear hidden{4, 3};
  Linear out{3, 2};
  void fields(auto&& f) { f("hidden", hidden, "out", out); }
};

std::vector<std::string> names(const std::vector<std::pair<std::string, Tensor>>& tensors) {
  std::vector<std::string> all;
  for (const auto& t : tensors) all.push_back(t.first);
  return all;
}

/// A file that is removed at the end of the test.
struct Scratch {
  std::string path;
  explicit Scratch(const std::string& name)
      : path((std::filesystem::temp_directory_path() / (name + "." + std::to_string(::getpid()))).string()) {}
  ~Scratch() { std::filesystem::remove(path); }
  void write(const std::string& bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
};

std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && to_vector<double>(a) == to_vector<double>(b);
}

}  // namespace

TEST_CASE("a walk names every member as PyTorch would") {
  Net net;
  CHECK(names(named_parameters(net)) == std::vector<std::string>{"blocks.0.inner.weight", "blocks.0.inner.bias",
                                                                 "blocks.1.inner.weight", "blocks.1.inner.bias",
                                                                 "bn.weight", "bn.bias", "out.weight", "out.bias"});
  CHECK(names(state(net)).size() == 11);  // and running_mean, running_var, num_batches_tracked
  CHECK(parameter_count(net) == 9 + 3 + 9 + 3 + 3 + 3 + 6 + 2);
  Sequential s(Linear(2, 3), ReLU(), Sequential(Linear(3, 1)));
  CHECK(names(named_parameters(s)) == std::vector<std::string>{"0.weight", "0.bias", "2.0.weight", "2.0.bias"});
}

TEST_CASE("train and eval reach every layer that cares") {
  Net net;
  CHECK(net.drop.mode.training);
  eval(net);
  CHECK_FALSE(net.drop.mode.training);
  CHECK_FALSE(net.bn.mode.training);
  const Tensor x = randn({4, 3});
  CHECK(same(net(x), net(x)));
  train(net);
  CHECK(net.bn.mode.training);
}

TEST_CASE("copies alias, clones do not, ties stay ties") {
  Net net;
  Net alias = net;
  Net deep = clone(net);
  initialize::constant(net.out.weight, 7);
  CHECK(alias.out.weight.data<float>()[0] == 7);
  CHECK(deep.out.weight.data<float>()[0] != 7);
  CHECK(deep.out.weight.requires_grad());

  std::vector<Linear> tied(2, Linear(2, 2));  // one weight twice
  CHECK(parameters(tied).size() == 2);
  REQUIRE(ties(tied).size() == 2);
  CHECK(ties(tied)[0] == std::pair<std::string, std::string>{"0.weight", "1.weight"});
  auto copy = clone(tied);
  CHECK(ties(copy).size() == 2);
  CHECK(ties(net).empty());
}

TEST_CASE("default initialisers have PyTorch's ranges") {
  manual_seed(1);
  const Linear l(100, 300);
  double largest = 0, squares = 0;
  for (const double w : to_vector<double>(l.weight)) {
    largest = std::max(largest, std::abs(w));
    squares += w * w;
  }
  CHECK(largest <= 0.1);
  CHECK(largest > 0.0995);
  CHECK(squares / 30000 == doctest::Approx(0.01 / 3).epsilon(0.03));
  const Tensor w = empty({64, 32, 3, 3});
  CHECK(initialize::fan_in(w) == 288);
  initialize::kaiming_normal(w);
  double sum = 0;
  for (const double v : to_vector<double>(w)) sum += v * v;
  CHECK(sum / static_cast<double>(w.numel()) == doctest::Approx(2.0 / 288).epsilon(0.05));
  CHECK(message([] { initialize::xavier_uniform(empty({3})); }) ==
        "initialize: a weight of shape [3] has no fans\n  help: pass (out, in, ...)");
}

TEST_CASE("the same seed gives the same model") {
  manual_seed(5);
  const Linear a(4, 4);
  manual_seed(5);
  const Linear b(4, 4);
  CHECK(same(a.weight, b.weight));
}

TEST_CASE("dropout keeps the mean, zeroes a share, and its gradient has the same mask") {
  manual_seed(3);
  Dropout d(0.25);
  Tensor x = ones({10000});
  x.set_requires_grad();
  const Tensor y = d(x);
  sum(y).backward();
  CHECK(same(y, x.grad()));
  std::int64_t zeros_seen = 0;
  for (const double v : to_vector<double>(y)) {
    CHECK_UNARY(v == 0 || v == doctest::Approx(4.0 / 3));
    zeros_seen += v == 0;
  }
  CHECK(static_cast<double>(zeros_seen) == doctest::Approx(2500).epsilon(0.06));
  eval(d);
  CHECK(same(d(x), x));
  CHECK(message([] { Dropout bad(1.5); }) == "dropout: p is 1.5\n  help: choose a probability from 0 to 1");
}

TEST_CASE("batch norm normalises the batch and remembers it") {
  BatchNorm bn(2);
  const Tensor x = tensor({{1, 10}, {3, 30}});
  const Tensor y = bn(x);
  CHECK(to_vector<double>(y)[0] == doctest::Approx(-1).epsilon(1e-4));
  CHECK(to_vector<double>(y)[3] == doctest::Approx(1).epsilon(1e-4));
  CHECK(to_vector<double>(bn.running_mean)[1] == doctest::Approx(2));         // 0.1 * 20
  CHECK(to_vector<double>(bn.running_var)[0] == doctest::Approx(0.9 + 0.2));  // 0.1 * the unbiased 2
  CHECK(bn.num_batches_tracked.item() == 1);
  eval(bn);
  CHECK(to_vector<double>(bn(x))[0] == doctest::Approx((1 - 0.2) / std::sqrt(1.1 + 1e-5)));
  train(bn);
  CHECK(message([&] {
          bn(tensor({{1, 2}}));
        }) ==
        "batch_norm: training needs two or more values per channel, x [1, 2] has 1\n"
        "  help: use a larger batch, drop the last incomplete one, or eval(model)");
}

TEST_CASE("embedding looks up rows and leaves the padding alone") {
  Embedding e({.num_embeddings = 3, .embedding_dim = 2, .padding_idx = 1});
  const Tensor ids = from(std::vector<std::int64_t>{0, 1, 0, 2}, {2, 2});
  const Tensor y = e(ids);
  CHECK(y.shape() == Shape{2, 2, 2});
  CHECK(to_vector<double>(y)[2] == 0);
  sum(y).backward();
  CHECK(to_vector<double>(e.weight.grad()) == std::vector<double>{2, 2, 0, 0, 1, 1});
}

TEST_CASE("a saved model loads by name, bit for bit") {
  const Scratch file("weft-layers");
  Net net;
  net(randn({8, 3}));
  save(net, file.path, {{"note", "hello"}});
  Net other;
  CHECK_FALSE(same(net.out.weight, other.out.weight));
  CHECK(load(other, file.path).complete());
  const auto a = state(net), b = state(other);
  for (std::size_t i = 0; i < a.size(); ++i) CHECK_MESSAGE(same(a[i].second, b[i].second), a[i].first);
  CHECK(load_tensors(file.path).metadata.at("note") == "hello");
  CHECK_FALSE(std::filesystem::exists(file.path + ".part"));
}

TEST_CASE("what does not fit is reported whole, and the model stays as it was") {
  const Scratch file("weft-misfit");
  Other other;
  save(other, file.path);
  Model model;
  const Tensor before = copy(model.hidden.bias);
  const std::string said = message([&] { load(model, file.path); });
  CHECK(said == "load: " + file.path +
                    " does not fit the model:\n"
                    "the file has no \"out.weight\"; the closest name is \"ouut.weight\"\n"
                    "the file has no \"out.bias\"; the closest name is \"ouut.bias\"\n"
                    "the model has no \"ouut.weight\"\n"
                    "the model has no \"ouut.bias\"\n"
                    "\"hidden.weight\": the file has shape [3, 3], the model [3, 4]");
  CHECK(same(before, model.hidden.bias));
  const LoadReport report = load(model, file.path, false);
  CHECK(report.missing.size() == 2);
  CHECK(same(other.hidden.bias, model.hidden.bias));
  CHECK(message([&] { load_tensors(file.path).at("hidden.wait"); }) ==
        "load: there is no \"hidden.wait\"; the closest name is \"hidden.weight\"");
}

TEST_CASE("a safetensors file is not trusted") {
  const Scratch file("weft-damaged");
  const auto attempt = [&](const std::string& bytes) {
    file.write(bytes);
    std::string said = message([&] { load_tensors(file.path); });
    const std::string start = "load: " + file.path + " is damaged: ";
    REQUIRE(said.rfind(start, 0) == 0);
    return said.substr(start.size());
  };
  const auto with_header = [](const std::string& json, const std::string& data) {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(json.size() >> (8 * i) & 0xff);
    return bytes + json + data;
  };
  CHECK(attempt("abc") == "it has 3 bytes, a safetensors file at least 8");
  CHECK(attempt(std::string(8, '\x7f') + "x") == "its header would be 9187201950435737471 bytes, the file has 9");
  CHECK(attempt(with_header("{nonsense", "")) == "its header is not JSON");
  CHECK(attempt(with_header("[1]", "")) == "its header is not JSON");
  CHECK(attempt(with_header(R"({"a":{"dtype":"F32"}})", "")) == "\"a\" lacks dtype, shape or data_offsets");
  CHECK(attempt(with_header(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "")) ==
        "\"a\" lacks dtype, shape or data_offsets");
  CHECK(attempt(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234")) ==
        "\"a\" [2] F32 needs 8 bytes, the file gives it bytes 0 to 8 of 4");
  CHECK(attempt(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "12345678")) ==
        "\"a\" [2] F32 needs 8 bytes, the file gives it bytes 0 to 4 of 8");
  CHECK(attempt(with_header(R"({"a":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
                            "12345678")) == "\"a\" is too large");
  CHECK(message([] { load_tensors("/nowhere/at/all"); }) ==
        "load: cannot open /nowhere/at/all: No such file or directory");
  CHECK(message([] { save_tensors("/nowhere/at/all", {}); }) ==
        "save: cannot write /nowhere/at/all: No such file or directory");
}

TEST_CASE("types of other frameworks are converted on reading") {
  const Scratch file("weft-types");
  std::string json =
      R"({"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"s":{"dtype":"I16","shape":[1],"data_offsets":[8,10]},)"
      R"("u":{"dtype":"U32","shape":[1],"data_offsets":[10,14]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(json.size());
  bytes += json;
  for (const int h : {0x3c00, 0xc000, 0x0001, 0x7c00}) {  // 1, -2, the smallest subnormal, infinity
    bytes += static_cast<char>(h & 0xff);
    bytes += static_cast<char>(h >> 8);
  }
  bytes += std::string("\xff\xff\xff\xff\xff\xff", 6);
  file.write(bytes);
  const TensorFile f = load_tensors(file.path);
  CHECK(to_vector<double>(f.at("h")) == std::vector<double>{1, -2, 0x1p-24, std::numeric_limits<double>::infinity()});
  CHECK(f.at("s").item() == -1);
  CHECK(f.at("u").item() == 4294967295.0);
}
