#include "record.h"

namespace weft::tests {
namespace {

std::vector<Record>& all_records() {
  static std::vector<Record> all;
  return all;
}

/// The first `count` floating or whole tensors among the arguments, numbers included.
std::vector<Tensor> operands(const Args& a, const std::vector<std::string_view>& names) {
  std::vector<Tensor> found;
  for (const std::string_view name : names)
    found.push_back(a.is_tensor(name) ? a.tensor(name) : scalar(a.real(name), DType::float64));
  return found;
}

}  // namespace

Family::Family(std::initializer_list<Record> records) {
  all_records().insert(all_records().end(), records.begin(), records.end());
}
const std::vector<Record>& records() { return all_records(); }

Outputs Reference::elementwise(const Args& a, const std::function<double(double)>& f) {
  const Tensor x = a.tensor("input");
  std::vector<double> values = to_vector<double>(x);
  for (double& v : values) v = f(v);
  return from(values, x.shape());
}

Outputs Reference::elementwise(const Args& a, const std::function<double(double, double)>& f) {
  const std::vector<Tensor> in = operands(a, {"input", "other"});
  const Shape shape = broadcast("reference", in[0].shape(), in[1].shape());
  const std::vector<double> u = to_vector<double>(expand(in[0], shape)), v = to_vector<double>(expand(in[1], shape));
  std::vector<double> y(u.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = f(u[i], v[i]);
  return from(y, shape);
}

Tensor along(const Tensor& x, int axis, const std::function<std::vector<double>(const std::vector<double>&)>& f,
             bool keep) {
  if (x.dim() == 0) return reshape(along(reshape(x, {1}), 0, f, true), {});
  const int k = normalize_axis("reference", axis, x.dim());
  const std::vector<double> values = to_vector<double>(x);
  std::int64_t inner = 1, outer = 1;
  for (int i = 0; i < x.dim(); ++i) (i < k ? outer : inner) *= i == k ? 1 : x.shape()[i];
  const std::int64_t n = x.shape()[k],
                     m = static_cast<std::int64_t>(f(std::vector<double>(static_cast<std::size_t>(n))).size());
  std::vector<double> y(static_cast<std::size_t>(outer * m * inner));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i) {
      std::vector<double> line;
      for (std::int64_t j = 0; j < n; ++j) line.push_back(values[static_cast<std::size_t>((o * n + j) * inner + i)]);
      const std::vector<double> result = f(line);
      for (std::int64_t j = 0; j < m; ++j)
        y[static_cast<std::size_t>((o * m + j) * inner + i)] = result[static_cast<std::size_t>(j)];
    }
  Shape shape = x.shape();
  shape[k] = m;
  const Tensor kept = from(y, shape);
  return keep || m != 1 ? kept : squeeze(kept, k);
}

Tensor over(const Tensor& x, const std::vector<int>& axes, bool keep,
            const std::function<double(const std::vector<double>&)>& f) {
  std::vector<bool> gone(static_cast<std::size_t>(x.dim()), axes.empty());
  for (const int axis : axes)
    if (x.dim() > 0) gone[static_cast<std::size_t>(normalize_axis("reference", axis, x.dim()))] = true;
  std::vector<int> order;
  Shape left, kept;
  for (int i = 0; i < x.dim(); ++i)
    if (!gone[static_cast<std::size_t>(i)]) order.push_back(i), left.push_back(x.shape()[i]);
  for (int i = 0; i < x.dim(); ++i)
    if (gone[static_cast<std::size_t>(i)]) order.push_back(i);
  for (int i = 0; i < x.dim(); ++i) kept.push_back(gone[static_cast<std::size_t>(i)] ? 1 : x.shape()[i]);
  std::vector<double> values = to_vector<double>(permute(x, order));
  const std::size_t rows = static_cast<std::size_t>(left.product());
  std::size_t count = 1;
  for (int i = 0; i < x.dim(); ++i)
    count *= gone[static_cast<std::size_t>(i)] ? static_cast<std::size_t>(x.shape()[i]) : 1;
  std::vector<double> y;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(r * count);
    y.push_back(f(std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(count))));
  }
  return from(y, keep ? kept : left);
}

}  // namespace weft::tests
