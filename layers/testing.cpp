#include <weft/layers/testing.h>

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/serialize.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::testing::detail {
namespace {

/// All that a model lists, tied tensors under each of their names.
class Listing final : public Visitor {
 public:
  explicit Listing(const weft::detail::Walk& walk) { walk(*this); }
  void parameter(const std::string& name, Tensor& x) override {
    parameters.emplace_back(name, x);
    all.emplace_back(name, x);
  }
  void buffer(const std::string& name, Buffer& x) override { all.emplace_back(name, x); }
  void mode(Mode&) override { has_mode = true; }

  std::vector<std::pair<std::string, Tensor>> parameters, all;
  bool has_mode = false;
};

template <class... Parts>
Report wrong(const Parts&... parts) {
  return {.passed = false, .message = text("check_module: ", parts...)};
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  const Tensor x = kernels::contiguous(a), y = kernels::contiguous(b);
  return x.numel() == 0 ||
         std::memcmp(x.body().data, y.body().data, static_cast<std::size_t>(x.numel()) * size_of(x.dtype())) == 0;
}
bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t k = 0; k < a.size(); ++k)
    if (!same_bits(a[k], b[k])) return false;
  return true;
}

std::vector<Tensor> call_in(bool training, const AnyModel& model) {
  weft::detail::set_mode(model.walk, training);
  return model.call();
}

/// Each of the two belongs to one model only.
Report check_apart(const Listing& a, const Listing& b, const char* which) {
  std::map<const void*, std::string> storages;
  for (const auto& [name, x] : a.all)
    if (x.numel() > 0) storages.emplace(x.body().storage, name);
  for (const auto& [name, x] : b.all)
    if (const auto found = storages.find(x.body().storage); found != storages.end() && x.numel() > 0)
      return wrong("\"", name, "\" of ", which, " shares its numbers with \"", found->second, "\" of the first");
  return {};
}

Report check_listing(const Listing& listing) {
  std::set<std::string> names;
  for (const auto& [name, x] : listing.all)
    if (!names.insert(name).second) return wrong("two tensors are named \"", name, "\"");
  for (const auto& [name, x] : listing.parameters)
    if (!x.requires_grad())
      return wrong("\"", name, "\" is a Tensor and requires no gradient\n  help: make it a Buffer, or require one");
  return {};
}

Report check_gradients(const AnyModel& model, const Listing& listing) {
  std::vector<Tensor> outputs;
  for (const Tensor& y : call_in(true, model))
    if (y.defined() && y.requires_grad()) outputs.push_back(y);
  std::vector<Tensor> cotangents;
  for (const Tensor& y : outputs) cotangents.push_back(ones(y.shape(), y.dtype()));
  if (!outputs.empty()) backward(outputs, cotangents);
  for (auto [name, x] : listing.parameters) {
    if (!x.grad().defined()) return wrong("\"", name, "\" gets no gradient");
    const NoGrad off;
    if (all(isfinite(x.grad())).item() == 0) return wrong("the gradient of \"", name, "\" is not finite");
  }
  for (auto [name, x] : listing.parameters) x.set_grad(Tensor());
  return {};
}

/// A name for a file that is removed in the end.
class Scratch {
 public:
  Scratch() {
    static std::atomic<unsigned> count{0};
    path_ = (std::filesystem::temp_directory_path() / text("weft-check-module-", ::getpid(), "-", count++)).string();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

Report check_module(const std::function<AnyModel()>& make) {
  const AnyModel model = make(), other = make();
  const Listing listing(model.walk);
  Report report = check_listing(listing);
  if (report) report = check_apart(listing, Listing(other.walk), "a second model");
  if (report) report = check_gradients(model, listing);
  if (!report) return report;

  const NoGrad off;
  const std::vector<Tensor> trained = call_in(true, model);
  std::vector<Tensor> before;
  for (const auto& [name, x] : listing.all) before.push_back(kernels::copy(x));
  const std::vector<Tensor> expected = call_in(false, model);
  for (std::size_t i = 0; i < before.size(); ++i)
    if (!same_bits(before[i], listing.all[i].second))
      return wrong("a call in evaluation changes \"", listing.all[i].first, "\"");
  if (!same_bits(model.call(), expected)) return wrong("two calls in evaluation give different results");
  if (!listing.has_mode && !same_bits(trained, expected))
    return wrong("training and evaluation give different results, and no member is a Mode");

  const AnyModel copy = model.clone();
  report = check_apart(listing, Listing(copy.walk), "a clone");
  if (!report) return report;
  if (!same_bits(call_in(false, copy), expected)) return wrong("a clone gives another result");
  const Scratch file;
  weft::detail::save(model.walk, file.path(), {});
  weft::detail::load(other.walk, file.path(), true);
  if (!same_bits(call_in(false, other), expected))
    return wrong(
        "a new model filled from the file of another gives another result\n  help: list all that makes a "
        "difference in fields(), numbers drawn at random as Tensor or Buffer");
  return {};
}

}  // namespace weft::testing::detail
