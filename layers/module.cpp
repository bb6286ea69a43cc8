#include <weft/layers/module.h>

#include <unordered_map>

#include <weft/autograd/grad.h>
#include <weft/tensor/kernels.h>

namespace weft {
namespace {

class Collect final : public Visitor {
 public:
  Collect(bool parameters, bool buffers) : parameters_(parameters), buffers_(buffers) {}
  void parameter(const std::string& name, Tensor& x) override {
    if (parameters_) add(name, x);
  }
  void buffer(const std::string& name, Buffer& x) override {
    if (buffers_) add(name, x);
  }
  void mode(Mode&) override {}
  std::vector<std::pair<std::string, Tensor>> found;
  std::vector<std::pair<std::string, std::string>> tied;

 private:
  void add(const std::string& name, const Tensor& x) {
    const auto [first, is_new] = seen_.emplace(x.body_or_null(), name);
    if (is_new)
      found.emplace_back(name, x);
    else
      tied.emplace_back(first->second, name);
  }
  bool parameters_, buffers_;
  std::unordered_map<const TensorBody*, std::string> seen_;
};

class SetMode final : public Visitor {
 public:
  explicit SetMode(bool training) : training_(training) {}
  void parameter(const std::string&, Tensor&) override {}
  void buffer(const std::string&, Buffer&) override {}
  void mode(Mode& mode) override { mode.training = training_; }

 private:
  bool training_;
};

class Deepen final : public Visitor {
 public:
  void parameter(const std::string&, Tensor& x) override { x = deep(x); }
  void buffer(const std::string&, Buffer& x) override { x = Buffer(deep(x)); }
  void mode(Mode&) override {}

 private:
  Tensor deep(const Tensor& x) {
    Tensor& copy = copies_[x.body_or_null()];
    if (!copy.defined()) {
      originals_.push_back(x);  // keeps the address from being used again
      copy = kernels::copy(x);
      if (x.requires_grad()) copy.set_requires_grad();
    }
    return copy;
  }
  std::unordered_map<const TensorBody*, Tensor> copies_;
  std::vector<Tensor> originals_;
};

}  // namespace

namespace detail {

std::vector<std::pair<std::string, Tensor>> collect(const Walk& walk, bool parameters, bool buffers) {
  Collect all(parameters, buffers);
  walk(all);
  return std::move(all.found);
}

void set_mode(const Walk& walk, bool training) {
  SetMode set(training);
  walk(set);
}

void deepen(const Walk& walk) {
  Deepen copy;
  walk(copy);
}

}  // namespace detail

std::vector<std::pair<std::string, std::string>> ties(const detail::Walk& walk) {
  Collect all(true, true);
  walk(all);
  return std::move(all.tied);
}

}  // namespace weft
