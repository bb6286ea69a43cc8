#pragma once
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <weft/autograd/testing.h>
#include <weft/layers/module.h>

/// A test for everyone's own models:
///
///   const testing::Report report = testing::check_module([] { return Net(); }, [&](const Net& net) { return net(x);
///   }); CHECK_MESSAGE(report, report.message);
namespace weft::testing {

namespace detail {
/// A model whose type is forgotten.
struct AnyModel {
  weft::detail::Walk walk;
  std::function<std::vector<Tensor>()> call;
  std::function<AnyModel()> clone;
};

template <class M, class Call>
AnyModel any_model(M model, const Call& call) {
  const auto held = std::make_shared<M>(std::move(model));
  return {[held](Visitor& v) { weft::walk(*held, v); },
          [held, call]() -> std::vector<Tensor> {
            if constexpr (std::is_convertible_v<std::invoke_result_t<Call, const M&>, Tensor>)
              return {call(std::as_const(*held))};
            else
              return call(std::as_const(*held));
          },
          [held, call] { return any_model(weft::clone(*held), call); }};
}

Report check_module(const std::function<AnyModel()>& make);
}  // namespace detail

/// Whether a model does what weft relies on. `make` gives a new one, `call` runs it on inputs that are always the same
/// and gives a tensor or a vector of them. Checked is that
/// - names are unique, all parameters require a gradient, and two models share nothing;
/// - while training, each parameter gets a gradient, and it is finite;
/// - a clone, and a new model filled from this one's file, give the same in evaluation, bit by bit, and the clone
/// shares
///   nothing with it;
/// - in evaluation calls give the same each time and leave parameters and buffers alone; in training they do other
///   things only where there is a Mode.
/// What the model or `call` throws goes through; a file is written in the folder for temporary ones and removed.
template <class Make, class Call>
Report check_module(const Make& make, const Call& call) {
  return detail::check_module([&] { return detail::any_model(make(), call); });
}

}  // namespace weft::testing
