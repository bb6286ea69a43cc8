#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>

/// Shared by the files of this folder: a rule for one number, applied to all numbers of a parameter in one pass.
namespace weft::optim {
namespace detail {

template <class T, class Rule, std::size_t... I>
void each_number(const Tensor& p, const Tensor& g, const std::array<Tensor, sizeof...(I)>& memory, const Rule& rule,
                 std::index_sequence<I...>) {
  const auto numbers = [](const Tensor& x) { return x.defined() ? static_cast<T*>(x.body().data) : nullptr; };
  T* const to = numbers(p);
  const T* const from = numbers(g);
  const std::array<T*, sizeof...(I)> kept{numbers(memory[I])...};
  parallel_for(p.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double w = static_cast<double>(to[i]), state[]{(kept[I] ? static_cast<double>(kept[I][i]) : 0)...};
      rule(w, static_cast<double>(from[i]), state[I]...);
      to[i] = static_cast<T>(w);
      ((kept[I] ? void(kept[I][i] = static_cast<T>(state[I])) : void()), ...);
    }
  });
}

}  // namespace detail

/// rule(double& parameter, double gradient, double& memory...) for every number of a float32 or float64 parameter. The
/// arithmetic is in double precision; what is remembered has the parameter's type and lies row-major, or is undefined:
/// then it is 0 and forgotten.
template <class Rule, class... Memory>
void each(const Tensor& parameter, const Tensor& gradient, const Rule& rule, const Memory&... memory) {
  const Tensor p = kernels::contiguous(parameter), g = kernels::contiguous(gradient);
  const std::array<Tensor, sizeof...(Memory)> all{memory...};
  constexpr auto index = std::index_sequence_for<Memory...>();
  if (parameter.dtype() == DType::float64)
    detail::each_number<double>(p, g, all, rule, index);
  else
    detail::each_number<float>(p, g, all, rule, index);
  if (!parameter.is_contiguous()) kernels::copy_into(parameter, p);
}

}  // namespace weft::optim
