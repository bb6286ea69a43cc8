#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/layers/module.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

/// What the tests of layers share.
namespace weft::tests {

inline Tensor normal(const Shape& shape, std::uint64_t seed, DType dtype = DType::float64) {
  Generator g{.seed = seed};
  return randn(shape, 0, 1, dtype, g);
}

/// Puts other tensors in the place of a model's parameters, in order.
class Replace final : public Visitor {
 public:
  Replace(const std::vector<Tensor>& all, std::size_t first) : all_(all), next_(first) {}
  void parameter(const std::string&, Tensor& x) override { x = all_.at(next_++); }
  void buffer(const std::string&, Buffer&) override {}
  void mode(Mode&) override {}

 private:
  const std::vector<Tensor>& all_;
  std::size_t next_;
};

/// gradcheck of call(model, inputs) by the inputs and by the model's parameters, which are not tied.
template <class M, class Call>
testing::Report check_gradients(M model, const std::vector<Tensor>& inputs, Call call,
                                const testing::GradcheckOptions& options = {}) {
  std::vector<Tensor> all = inputs;
  for (const Tensor& p : parameters(model)) all.push_back(detach(p));
  return testing::gradcheck(
      [model, call, n = inputs.size()](const std::vector<Tensor>& in) {
        M copy = model;
        Replace replace(in, n);
        walk(copy, replace);
        return call(copy, std::vector<Tensor>(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(n)));
      },
      all, options);
}

}  // namespace weft::tests
