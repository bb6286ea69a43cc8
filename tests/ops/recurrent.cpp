#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

RecurrentCell cell(const Args& a) {
  const std::string& name = a.word("cell");
  return name == "tanh"   ? RecurrentCell::tanh
         : name == "relu" ? RecurrentCell::relu
         : name == "gru"  ? RecurrentCell::gru
                          : RecurrentCell::lstm;
}
RecurrentWeights weights(const Args& a) {
  return {a.tensor("weight_ih"), a.tensor("weight_hh"), a.tensor("bias_ih"), a.tensor("bias_hh"),
          a.tensor("projection")};
}
std::vector<Tensor> states(const Args& a) {
  std::vector<Tensor> all{a.tensor("h")};
  if (a.has("c")) all.push_back(a.tensor("c"));
  return all;
}
RecurrentSteps steps(const Args& a) {
  return {.cell = cell(a),
          .sizes = a.integers("sizes"),
          .reverse = a.flag("reverse"),
          .batch_first = a.flag("batch_first")};
}

using Numbers = std::vector<double>;
Numbers numbers(const Tensor& x) { return x.defined() ? to_vector<double>(x) : Numbers(); }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

/// The formulas, number by number.
struct Plain {
  RecurrentCell kind;
  Numbers w_ih, w_hh, b_ih, b_hh, projection;
  std::size_t in, units, width, gates;  // width: of h

  explicit Plain(const Args& a)
      : kind(cell(a)),
        w_ih(numbers(a.tensor("weight_ih"))),
        w_hh(numbers(a.tensor("weight_hh"))),
        b_ih(numbers(a.tensor("bias_ih"))),
        b_hh(numbers(a.tensor("bias_hh"))),
        projection(numbers(a.tensor("projection"))),
        in(static_cast<std::size_t>(a.tensor("weight_ih").shape()[1])),
        width(static_cast<std::size_t>(a.tensor("weight_hh").shape()[1])) {
    gates = kind == RecurrentCell::lstm ? 4 : kind == RecurrentCell::gru ? 3 : 1;
    units = static_cast<std::size_t>(a.tensor("weight_ih").shape()[0]) / gates;
  }

  void operator()(const double* x, double* h, double* c) const {
    Numbers from_x(gates * units), from_h(gates * units), next(units);
    for (std::size_t g = 0; g < gates * units; ++g) {
      if (!b_ih.empty()) from_x[g] = b_ih[g];
      if (!b_hh.empty()) from_h[g] = b_hh[g];
      for (std::size_t k = 0; k < in; ++k) from_x[g] += w_ih[g * in + k] * x[k];
      for (std::size_t k = 0; k < width; ++k) from_h[g] += w_hh[g * width + k] * h[k];
    }
    for (std::size_t j = 0; j < units; ++j) {
      const auto sum = [&](std::size_t gate) { return from_x[gate * units + j] + from_h[gate * units + j]; };
      if (kind == RecurrentCell::lstm) {
        c[j] = sigmoid_of(sum(1)) * c[j] + sigmoid_of(sum(0)) * std::tanh(sum(2));
        next[j] = sigmoid_of(sum(3)) * std::tanh(c[j]);
      } else if (kind == RecurrentCell::gru) {
        const double r = sigmoid_of(sum(0)), z = sigmoid_of(sum(1));
        const double n = std::tanh(from_x[2 * units + j] + r * from_h[2 * units + j]);
        next[j] = (1 - z) * n + z * h[j];
      } else {
        next[j] = kind == RecurrentCell::tanh ? std::tanh(sum(0)) : std::max(sum(0), 0.0);
      }
    }
    for (std::size_t k = 0; k < width; ++k) {
      h[k] = projection.empty() ? next[k] : 0;
      for (std::size_t j = 0; j < projection.size() / width; ++j) h[k] += projection[k * units + j] * next[j];
    }
  }
};

Outputs one_step(const Args& a) {
  const Plain plain(a);
  const Numbers x = numbers(a.tensor("x"));
  Numbers h = numbers(a.tensor("h")), c = numbers(a.tensor("c"));
  c.resize(std::max<std::size_t>(c.size(), 1));
  const auto rows = static_cast<std::size_t>(a.tensor("x").shape()[0]);
  for (std::size_t r = 0; r < rows; ++r)
    plain(x.data() + r * plain.in, h.data() + r * plain.width, c.data() + (a.has("c") ? r * plain.units : 0));
  Outputs all{from(h, a.tensor("h").shape())};
  if (a.has("c")) all.push_back(from(c, a.tensor("c").shape()));
  return all;
}

Outputs all_steps(const Args& a) {
  const Plain plain(a);
  const RecurrentSteps s = steps(a);
  const Numbers x = numbers(a.tensor("x"));
  Numbers h = numbers(a.tensor("h")), c = numbers(a.tensor("c"));
  c.resize(std::max<std::size_t>(c.size(), 1));
  Numbers y(static_cast<std::size_t>(a.tensor("x").shape()[0]) * plain.width);
  const std::size_t length = s.sizes.size();
  for (std::size_t i = 0; i < length; ++i) {
    const std::size_t t = s.reverse ? length - 1 - i : i;
    std::size_t before = 0;
    for (std::size_t k = 0; k < t; ++k) before += static_cast<std::size_t>(s.sizes[k]);
    for (std::size_t b = 0; b < static_cast<std::size_t>(s.sizes[t]); ++b) {
      const std::size_t row = s.batch_first ? b * length + t : before + b;
      double* state = h.data() + b * plain.width;
      plain(x.data() + row * plain.in, state, c.data() + (a.has("c") ? b * plain.units : 0));
      std::copy(state, state + plain.width, y.data() + row * plain.width);
    }
  }
  Outputs all{from(y, {a.tensor("x").shape()[0], static_cast<std::int64_t>(plain.width)}),
              from(h, a.tensor("h").shape())};
  if (a.has("c")) all.push_back(from(c, a.tensor("c").shape()));
  return all;
}

const Family recurrents{
    Record{.name = "recurrent_step",
           .weft = "recurrent_step(cell, x, weight_ih, weight_hh, bias_ih, bias_hh, h, c=None, projection=None)",
           .call = [](const Args& a) { return recurrent_step(cell(a), a.tensor("x"), states(a), weights(a)); },
           .samples = {"'lstm', x(2, 3), x(8, 3), x(8, 2), x(8), x(8), x(2, 2), x(2, 2)",
                       "'lstm', x(2, 3), x(12, 3), x(12, 2), None, None, x(2, 2), x(2, 3), x(2, 3)",
                       "'gru', x(2, 3), x(6, 3), x(6, 2), x(6), x(6), x(2, 2)",
                       "'tanh', x(2, 3), x(2, 3), x(2, 2), x(2), x(2), x(2, 2)",
                       "'relu', x(0, 3), x(2, 3), x(2, 2), None, None, x(0, 2)"},
           .reference = one_step,
           .errors = {{"'gru', x(2, 3), x(6, 4), x(6, 2), x(6), x(6), x(2, 2)",
                       "ShapeError: recurrent_step: x is [2, 3], the input weight [6, 4] takes (rows, 4)"},
                      {"'lstm', x(2, 3), x(8, 3), x(8, 2), x(8), x(8), x(2, 2)",
                       "ShapeError: recurrent_step: 1 states for a cell that has 2"}}},
    Record{
        .name = "recurrent",
        .weft = "recurrent(cell, x, weight_ih, weight_hh, bias_ih, bias_hh, sizes, h, c=None, reverse=False, "
                "batch_first=False, projection=None)",
        .call = [](const Args& a) { return recurrent(a.tensor("x"), states(a), weights(a), steps(a)); },
        .samples = {"'lstm', x(6, 3), x(8, 3), x(8, 2), x(8), x(8), [3, 2, 1], x(3, 2), x(3, 2)",
                    "'lstm', x(6, 3), x(8, 3), x(8, 2), x(8), x(8), [3, 2, 1], x(4, 2), x(4, 2), reverse=True",
                    "'lstm', x(6, 3), x(8, 3), x(8, 2), None, None, [2, 2, 2], x(2, 2), x(2, 2), batch_first=True",
                    "'lstm', x(3, 2), x(12, 2), x(12, 2), x(12), x(12), [2, 1], x(2, 2), x(2, 3), projection=x(2, 3)",
                    "'gru', x(5, 3), x(6, 3), x(6, 2), x(6), x(6), [2, 2, 1], x(2, 2)",
                    "'gru', x(6, 2), x(9, 2), x(9, 3), x(9), None, [2, 2, 2], x(2, 3), reverse=True, batch_first=True",
                    "'tanh', x(5, 3), x(2, 3), x(2, 2), x(2), x(2), [2, 2, 1], x(2, 2)",
                    "'relu', x(5, 3), x(2, 3), x(2, 2), None, x(2), [2, 2, 1], x(3, 2), reverse=True",
                    "'lstm', x(0, 3), x(8, 3), x(8, 2), x(8), x(8), [], x(2, 2), x(2, 2)",
                    "'gru', x(0, 3), x(6, 3), x(6, 2), x(6), x(6), [0, 0], x(2, 2)",
                    "'lstm', x(20, 3), x(148, 3), x(148, 37), x(148), x(148), [11, 9], x(11, 37), x(11, 37)",
                    "'gru', x(20, 3), x(51, 3), x(51, 17), x(51), x(51), [11, 9], x(11, 17), reverse=True",
                    "'tanh', x(20, 3), x(33, 3), x(33, 33), x(33), x(33), [11, 9], x(11, 33)"},
        .reference = all_steps,
        .errors =
            {{"'tanh', x(3, 2), x(2, 2), x(2, 2), None, None, [1, 2], x(2, 2)",
              "ConfigError: recurrent: 2 sequences at a step after 1 of a batch of 2"},
             {"'tanh', x(4, 2), x(2, 2), x(2, 2), None, None, [2, 1], x(2, 2)",
              "ShapeError: recurrent: the steps add up to 3 rows, x is [4, 2]"},
             {"'tanh', x(3, 2), x(2, 2), x(2, 3), None, None, [2, 1], x(2, 2)",
              "ShapeError: recurrent: the hidden weight is [2, 3], not [2, 2]"},
             {"'gru', x(3, 2), x(2, 2), x(2, 2), None, None, [2, 1], x(2, 2)",
              "ShapeError: recurrent: the weights are [2, 2] and [2, 2]\n  help: give (3 H, in) and (3 H, H)"},
             {"'tanh', x(3, 2), x(2, 2), x(2, 2), x(3), None, [2, 1], x(2, 2)",
              "ShapeError: recurrent: a bias is [3], not [2]"},
             {"'tanh', x(3, 2), x(2, 2), x(2, 2), None, None, [2, 1], x(2, 3)",
              "ShapeError: recurrent: the state h is [2, 3], not (rows, 2)"},
             {"'tanh', x(3, 2), x(2, 2), x(2, 2), None, None, [2, 1], index(2, 2)",
              "DtypeError: recurrent: x is float64, a weight or state int64\n  help: give all of them one floating "
              "type"},
             {"'gru', x(3, 2), x(6, 2), x(6, 2), None, None, [2, 1], x(2, 2), projection=x(2, 2)",
              "ShapeError: recurrent: the projection is [2, 2] for 2 units of a cell that takes none"}}},
};

}  // namespace
}  // namespace weft::tests
