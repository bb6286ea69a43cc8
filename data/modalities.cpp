#include <weft/data/modalities.h>

#include <algorithm>
#include <cstring>

#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::data {
namespace {

/// Copies one row of any strides to dense memory, axis by axis.
char* copy_row(char* to, const char* from, const Shape& shape, const Strides& strides, int axis, std::size_t width) {
  if (axis == shape.size()) {
    std::memcpy(to, from, width);
    return to + width;
  }
  for (std::int64_t i = 0; i < shape[axis]; ++i)
    to = copy_row(to, from + i * strides[axis] * static_cast<std::int64_t>(width), shape, strides, axis + 1, width);
  return to;
}

bool presence(const Tensor& present, std::int64_t row, std::int64_t m) {
  return present.data<bool>()[row * present.strides()[0] + m * present.strides()[1]];
}

void check_quality(const Tensor& quality, const Tensor& present) {
  if (quality.defined() && quality.shape() != present.shape())
    throw ShapeError(text("modalities: the quality is ", quality.shape(), ", the presence mask ", present.shape()));
}

/// x[:, columns[j]]: (B, M) -> (B, len(columns)), any type, any strides.
Tensor take_columns(const Tensor& x, std::span<const std::int64_t> columns) {
  const auto width = static_cast<std::int64_t>(size_of(x.dtype()));
  Tensor out = empty({x.size(0), static_cast<std::int64_t>(columns.size())}, x.dtype());
  char* to = static_cast<char*>(out.body().data);
  const char* base = static_cast<const char*>(x.body().data);
  for (std::int64_t row = 0; row < x.size(0); ++row)
    for (const std::int64_t m : columns) {
      std::memcpy(to, base + (row * x.strides()[0] + m * x.strides()[1]) * width, static_cast<std::size_t>(width));
      to += width;
    }
  return out;
}

}  // namespace

Tensor take_rows(const Tensor& x, std::span<const std::int64_t> index) {
  if (x.dim() == 0) throw ShapeError("take_rows: a tensor of rank 0 has no rows");
  const std::int64_t n = x.size(0);
  Shape shape = x.shape();
  shape[0] = static_cast<std::int64_t>(index.size());
  Tensor out = empty(shape, x.dtype());
  const std::size_t width = size_of(x.dtype());
  const std::size_t row_bytes = n == 0 ? 0 : static_cast<std::size_t>(x.numel() / n) * width;
  char* to = static_cast<char*>(out.body().data);
  const char* base = static_cast<const char*>(x.body().data);
  for (const std::int64_t i : index) {
    if (i < 0 || i >= n) throw ConfigError(text("take_rows: index ", i, " is outside the ", n, " rows"));
    if (row_bytes == 0) continue;
    const char* from = base + i * x.strides()[0] * static_cast<std::int64_t>(width);
    if (x.is_contiguous()) {
      std::memcpy(to, from, row_bytes);
      to += row_bytes;
    } else {
      to = copy_row(to, from, x.shape(), x.strides(), 1, width);
    }
  }
  return out;
}

Modalities Modalities::complete(std::vector<std::string> names, std::vector<Tensor> features) {
  Modalities all{std::move(names), std::move(features), {}, {}};
  const std::int64_t rows = all.batch();
  all.present = empty({rows, all.count()}, DType::boolean);
  std::fill_n(all.present.mutable_data<bool>(), all.present.numel(), true);
  all.check();
  return all;
}

std::int64_t Modalities::batch() const {
  return features.empty() || features.front().dim() == 0 ? 0 : features.front().size(0);
}

int Modalities::index_of(std::string_view name) const {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) throw ConfigError(text("modalities: there is no \"", name, "\"", closest(name, names)));
  return static_cast<int>(at - names.begin());
}

bool Modalities::has(std::int64_t row, int m) const {
  if (row < 0 || row >= present.size(0) || m < 0 || m >= present.size(1))
    throw ShapeError(text("modalities: sample ", row, ", modality ", m, " is outside the mask ", present.shape()));
  return presence(present, row, m);
}

std::vector<std::int64_t> Modalities::present_rows(int m) const {
  if (m < 0 || m >= present.size(1))
    throw ShapeError(text("modalities: modality ", m, " is outside the mask ", present.shape()));
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < present.size(0); ++row)
    if (presence(present, row, m)) rows.push_back(row);
  return rows;
}

Modalities Modalities::rows(std::span<const std::int64_t> index) const {
  Modalities out{names, {}, take_rows(present, index), quality.defined() ? take_rows(quality, index) : Tensor()};
  out.features.reserve(features.size());
  for (const Tensor& x : features) out.features.push_back(take_rows(x, index));
  return out;
}

Modalities Modalities::select(std::span<const std::string> wanted) const {
  Modalities out;
  std::vector<std::int64_t> columns;
  for (const std::string& name : wanted) {
    const int m = index_of(name);
    out.names.push_back(name);
    out.features.push_back(features[static_cast<std::size_t>(m)]);
    columns.push_back(m);
  }
  const std::int64_t rows = present.size(0);
  out.present = empty({rows, static_cast<std::int64_t>(columns.size())}, DType::boolean);
  bool* to = out.present.mutable_data<bool>();
  for (std::int64_t row = 0; row < rows; ++row)
    for (const std::int64_t m : columns) *to++ = presence(present, row, m);
  check_quality(quality, present);
  if (quality.defined()) out.quality = take_columns(quality, columns);
  return out;
}

void Modalities::check() const {
  if (names.size() != features.size())
    throw ShapeError(text("modalities: ", names.size(), " names for ", features.size(), " features"));
  for (std::size_t m = 0; m < names.size(); ++m) {
    if (features[m].dim() == 0)
      throw ShapeError(text("modalities: \"", names[m], "\" has rank 0, which leaves no axis for samples"));
    if (features[m].size(0) != batch())
      throw ShapeError(text("modalities: \"", names[m], "\" has ", features[m].size(0), " samples, \"", names[0],
                            "\" has ", batch()));
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(m), names[m]) !=
        names.begin() + static_cast<std::ptrdiff_t>(m))
      throw ConfigError(text("modalities: two are called \"", names[m], "\""));
  }
  if (present.dtype() != DType::boolean)
    throw DtypeError(text("modalities: the presence mask is ", present.dtype(), ", not bool"));
  if (present.shape() != Shape{batch(), count()})
    throw ShapeError(text("modalities: the presence mask is ", present.shape(), " for ", batch(), " samples and ",
                          count(), " modalities"));
  check_quality(quality, present);
}

}  // namespace weft::data
