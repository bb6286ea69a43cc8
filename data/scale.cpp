#include <weft/data/scale.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include <weft/tensor/create.h>

namespace weft::data {
namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();
using RowNumbers = std::span<const std::int64_t>;

void check_rows(const char* op, RowNumbers rows, std::int64_t n) {
  if (rows.empty()) throw ConfigError(text(op, ": there are no training rows"));
  for (const std::int64_t row : rows)
    if (row < 0 || row >= n) throw ConfigError(text(op, ": row ", row, " is outside the ", n, " rows"));
}

void check_matrix(const char* op, const Tensor& x) {
  if (x.dim() != 2) throw ShapeError(text(op, ": x is ", x.shape(), ", not (N, F)"));
  if (!is_floating(x.dtype())) throw DtypeError(text(op, ": x is ", x.dtype(), ", not floating"));
}

void check_width(const char* op, const Tensor& x, std::size_t width) {
  check_matrix(op, x);
  if (x.size(1) != static_cast<std::int64_t>(width))
    throw ShapeError(text(op, ": x has ", x.size(1), " columns, ", width, " were fitted"));
}

/// A new tensor of `dtype` that holds `values`.
Tensor narrowed(const std::vector<double>& values, const Shape& shape, DType dtype) {
  if (dtype == DType::float64) return from(values, shape);
  Tensor out = empty(shape, dtype);
  if (dtype == DType::float32) {
    std::transform(values.begin(), values.end(), out.mutable_data<float>(),
                   [](double v) { return static_cast<float>(v); });
  } else {
    std::transform(values.begin(), values.end(), out.mutable_data<BFloat16>(),
                   [](double v) { return BFloat16(static_cast<float>(v)); });
  }
  return out;
}

struct Moments {
  double mean = 0;
  double deviation = 1;
  bool gaps = false;  ///< some value is missing
  bool some = true;   ///< and some is not
};

/// Of get(row) over the rows, NaN left out: two passes, which loses no digits.
template <class Get>
Moments moments(const char* op, RowNumbers rows, const std::string& what, Get get) {
  Moments m;
  double sum = 0, n = 0;
  for (const std::int64_t row : rows) {
    const double v = get(row);
    if (std::isinf(v)) throw ConfigError(text(op, ": ", what, " is infinite in row ", row));
    if (std::isnan(v)) {
      m.gaps = true;
      continue;
    }
    sum += v;
    ++n;
  }
  m.some = n > 0;
  if (!m.some) return m;
  m.mean = sum / n;
  double squares = 0;
  for (const std::int64_t row : rows) {
    const double v = get(row);
    if (!std::isnan(v)) squares += (v - m.mean) * (v - m.mean);
  }
  const double deviation = std::sqrt(squares / n);
  // The mean of equal numbers may be off by a rounding: such a column is constant all the same.
  if (deviation > 10 * std::numeric_limits<double>::epsilon() * std::abs(m.mean)) m.deviation = deviation;
  return m;
}

/// Moments of each column of a matrix.
std::vector<Moments> column_moments(const char* op, const Tensor& x, RowNumbers rows) {
  check_matrix(op, x);
  check_rows(op, rows, x.size(0));
  const std::vector<double> values = to_vector<double>(x);
  const std::int64_t width = x.size(1);
  std::vector<Moments> out;
  for (std::int64_t j = 0; j < width; ++j)
    out.push_back(moments(op, rows, text("column ", j),
                          [&](std::int64_t row) { return values[static_cast<std::size_t>(row * width + j)]; }));
  return out;
}

/// Levels as they stand in the training rows, sorted.
std::vector<std::string> seen_levels(const Column& column, RowNumbers rows) {
  std::vector<char> seen(column.levels.size(), 0);
  for (const std::int64_t row : rows)
    if (!column.missing(row)) seen[static_cast<std::size_t>(column.codes[static_cast<std::size_t>(row)])] = 1;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (seen[i]) out.push_back(column.levels[i]);
  return out;
}

/// A column of numbers as the text that it would be.
Column as_text(const Column& column) {
  std::vector<std::string> values;
  for (const double v : column.numbers) {
    char digits[32];
    values.emplace_back(digits, std::isnan(v) ? digits : std::to_chars(digits, digits + sizeof digits, v).ptr);
  }
  return Column::of_text(column.name, values);
}

/// For each level of the column its place among `levels`, or -1.
std::vector<std::int64_t> places(const Column& column, const std::vector<std::string>& levels) {
  std::vector<std::int64_t> out;
  for (const std::string& level : column.levels) {
    const auto at = std::find(levels.begin(), levels.end(), level);
    out.push_back(at == levels.end() ? -1 : at - levels.begin());
  }
  return out;
}

/// The values that were seen in training, for a message: the first of many.
std::string known(const std::vector<std::string>& levels) {
  constexpr std::size_t most = 8;
  if (levels.empty()) return "none";
  std::string out;
  for (std::size_t i = 0; i < levels.size() && i < most; ++i) out += text(i ? ", \"" : "\"", levels[i], "\"");
  return levels.size() > most ? text(out, " and ", levels.size() - most, " more") : out;
}

void check_seen(const char* op, const Column& column, const std::vector<std::int64_t>& place,
                const std::vector<std::string>& levels) {
  for (std::size_t row = 0; row < column.codes.size(); ++row)
    if (const std::int64_t code = column.codes[row]; code >= 0 && place[static_cast<std::size_t>(code)] < 0)
      throw ConfigError(text(op, ": column \"", column.name, "\" holds \"",
                             column.levels[static_cast<std::size_t>(code)], "\" in row ", row,
                             ", known from training are: ", known(levels),
                             "\n  help: mend the value, or fit with .unseen = Unseen::unknown"));
}

/// A part's column in this table, as it was in training; `place` becomes where each of its levels stands among the
/// part's (see places()).
Column column_for(const char* op, const Table& table, const TableEncoder::Part& part, Unseen unseen,
                  std::vector<std::int64_t>& place) {
  const Column& given = table.at(part.column);
  if (given.categorical && !part.categorical)
    throw ConfigError(text(op, ": column \"", part.column, "\" holds text, in training it held numbers"));
  Column column = part.categorical && !given.categorical ? as_text(given) : given;
  place = places(column, part.levels);
  if (part.categorical && unseen == Unseen::error) check_seen(op, column, place, part.levels);
  return column;
}

TableEncoder::Part fitted(const char* op, const Column& column, RowNumbers rows, bool indicators) {
  TableEncoder::Part part;
  part.column = column.name;
  part.categorical = column.categorical;
  if (column.categorical) {
    part.levels = seen_levels(column, rows);
    part.seen = !part.levels.empty();
    return part;
  }
  const Moments m = moments(op, rows, "column \"" + column.name + "\"",
                            [&](std::int64_t row) { return column.numbers[static_cast<std::size_t>(row)]; });
  part.mean = m.mean;
  part.deviation = m.deviation;
  part.indicator = indicators && m.gaps;
  part.seen = m.some;
  return part;
}

/// Rows of which nothing is known become NaN throughout.
Encoded encoded(std::vector<double> values, const std::vector<char>& have, std::size_t width, DType dtype) {
  const auto rows = static_cast<std::int64_t>(have.size());
  Encoded out;
  out.present = empty({rows}, DType::boolean);
  bool* present = out.present.mutable_data<bool>();
  for (std::size_t row = 0; row < have.size(); ++row) {
    present[row] = have[row] != 0;
    if (!have[row]) std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(row * width), width, not_known);
  }
  out.features = narrowed(values, {rows, static_cast<std::int64_t>(width)}, dtype);
  return out;
}

std::string parts_to_json(const std::vector<TableEncoder::Part>& parts, bool standardize, Unseen unseen) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const TableEncoder::Part& part : parts) {
    nlohmann::ordered_json item = {{"column", part.column}};
    if (part.categorical)
      item["levels"] = part.levels;
    else
      item.update({{"mean", part.mean}, {"deviation", part.deviation}, {"indicator", part.indicator}});
    if (!part.seen) item["seen"] = false;
    list.push_back(std::move(item));
  }
  // Text from a file may hold bytes that are not UTF-8, which JSON cannot: they are replaced, never an abort.
  return nlohmann::ordered_json{
      {"standardize", standardize}, {"unseen", unseen == Unseen::error ? "error" : "unknown"}, {"columns", list}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Fills an encoder or coder with what parts_to_json() wrote.
template <class Encoder>
Encoder parts_from_json(const char* op, std::string_view encoded) {
  try {
    const auto json = nlohmann::json::parse(encoded);
    Encoder out;
    out.standardize = json.at("standardize").get<bool>();
    // Files from before there was a choice passed over what they did not know.
    out.unseen = json.value("unseen", std::string("unknown")) == "error" ? Unseen::error : Unseen::unknown;
    for (const auto& item : json.at("columns")) {
      TableEncoder::Part part;
      part.column = item.at("column").get<std::string>();
      part.categorical = item.contains("levels");
      part.seen = item.value("seen", true);
      if (part.categorical) {
        part.levels = item.at("levels").get<std::vector<std::string>>();
      } else {
        part.mean = item.at("mean").get<double>();
        part.deviation = item.at("deviation").get<double>();
        part.indicator = item.at("indicator").get<bool>();
      }
      out.parts.push_back(std::move(part));
    }
    return out;
  } catch (const nlohmann::json::exception& e) {
    throw ConfigError(text(op, ": not what to_json gives: ", e.what()));
  }
}

std::size_t width_of(const TableEncoder::Part& part) noexcept {
  return part.categorical ? part.levels.size() : part.indicator ? 2 : 1;
}

}  // namespace

Standardizer Standardizer::fit(const Tensor& x, RowNumbers rows) {
  Standardizer s;
  for (const Moments& m : column_moments("standardize", x, rows)) {
    s.mean.push_back(m.mean);
    s.deviation.push_back(m.deviation);
  }
  return s;
}

Tensor Standardizer::apply(const Tensor& x) const {
  check_width("standardize", x, mean.size());
  std::vector<double> values = to_vector<double>(x);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = (values[i] - mean[i % mean.size()]) / deviation[i % mean.size()];
  return narrowed(values, x.shape(), x.dtype());
}

Imputer Imputer::fit(const Tensor& x, RowNumbers rows, bool indicators) {
  Imputer out;
  for (const Moments& m : column_moments("impute", x, rows)) {
    if (indicators && m.gaps) out.indicators.push_back(static_cast<std::int64_t>(out.mean.size()));
    out.mean.push_back(m.mean);
  }
  return out;
}

Tensor Imputer::apply(const Tensor& x) const {
  check_width("impute", x, mean.size());
  const std::vector<double> values = to_vector<double>(x);
  std::vector<double> out;
  out.reserve(values.size());
  for (std::int64_t row = 0; row < x.size(0); ++row) {
    const auto from = static_cast<std::size_t>(row) * mean.size();
    for (std::size_t j = 0; j < mean.size(); ++j)
      out.push_back(std::isnan(values[from + j]) ? mean[j] : values[from + j]);
    for (const std::int64_t j : indicators)
      out.push_back(std::isnan(values[from + static_cast<std::size_t>(j)]) ? 1 : 0);
  }
  return narrowed(out, {x.size(0), static_cast<std::int64_t>(mean.size() + indicators.size())}, x.dtype());
}

OneHot OneHot::fit(const Column& column, RowNumbers rows) {
  if (!column.categorical)
    throw ConfigError(text("one_hot: column \"", column.name, "\" holds numbers, not categories"));
  check_rows("one_hot", rows, column.size());
  return {seen_levels(column, rows)};
}

Tensor OneHot::apply(const Column& column) const {
  if (!column.categorical)
    throw ConfigError(text("one_hot: column \"", column.name, "\" holds numbers, not categories"));
  const std::vector<std::int64_t> place = places(column, levels);
  std::vector<double> out(static_cast<std::size_t>(column.size()) * levels.size(), 0.0);
  for (std::size_t row = 0; row < column.codes.size(); ++row) {
    const std::int64_t code = column.codes[row];
    if (code >= 0 && place[static_cast<std::size_t>(code)] >= 0)
      out[row * levels.size() + static_cast<std::size_t>(place[static_cast<std::size_t>(code)])] = 1;
  }
  return from(out, {column.size(), static_cast<std::int64_t>(levels.size())});
}

// ---- a table's columns as one modality

TableEncoder TableEncoder::fit(const Table& table, std::span<const std::string> patterns, RowNumbers rows,
                               const TableOptions& options) {
  constexpr const char* op = "table encoder";
  check_rows(op, rows, table.rows());
  TableEncoder out;
  out.standardize = options.standardize;
  out.unseen = options.unseen;
  for (const std::size_t i : table.match(patterns))
    out.parts.push_back(fitted(op, table.columns[i], rows, options.indicators));
  return out;
}

Encoded TableEncoder::apply(const Table& table, DType dtype) const {
  if (!is_floating(dtype)) throw DtypeError(text("table encoder: features cannot be ", dtype));
  const auto rows = static_cast<std::size_t>(table.rows());
  std::size_t width = 0;
  for (const Part& part : parts) width += width_of(part);
  std::vector<double> values(rows * width, 0.0);
  std::vector<char> have(rows, 0);
  std::size_t at = 0;  // the part's first feature
  for (const Part& part : parts) {
    std::vector<std::int64_t> place;
    const Column column = column_for("table encoder", table, part, unseen, place);
    for (std::size_t row = 0; row < rows; ++row) {
      double* to = values.data() + row * width + at;
      const bool missing = !part.seen || column.missing(static_cast<std::int64_t>(row));
      if (!missing) have[row] = 1;
      if (part.categorical) {
        const std::int64_t k = missing ? -1 : place[static_cast<std::size_t>(column.codes[row])];
        if (k >= 0) to[k] = 1;
      } else {
        const double v = missing ? part.mean : column.numbers[row];
        to[0] = standardize ? (v - part.mean) / part.deviation : v;
        if (part.indicator) to[1] = missing ? 1 : 0;
      }
    }
    at += width_of(part);
  }
  return encoded(std::move(values), have, width, dtype);
}

std::vector<std::string> TableEncoder::feature_names() const {
  std::vector<std::string> out;
  for (const Part& part : parts) {
    if (part.categorical) {
      for (const std::string& level : part.levels) out.push_back(part.column + "=" + level);
    } else {
      out.push_back(part.column);
      if (part.indicator) out.push_back(part.column + "=missing");
    }
  }
  return out;
}

std::string TableEncoder::to_json() const { return parts_to_json(parts, standardize, unseen); }
TableEncoder TableEncoder::from_json(std::string_view encoded) {
  return parts_from_json<TableEncoder>("table encoder", encoded);
}

// ---- a table's columns each by itself

TableCoder TableCoder::fit(const Table& table, std::span<const std::string> patterns, RowNumbers rows,
                           const CoderOptions& options) {
  constexpr const char* op = "table coder";
  check_rows(op, rows, table.rows());
  TableCoder out;
  out.standardize = options.standardize;
  out.unseen = options.unseen;
  for (const std::size_t i : table.match(patterns)) out.parts.push_back(fitted(op, table.columns[i], rows, false));
  std::stable_partition(out.parts.begin(), out.parts.end(), [](const auto& part) { return !part.categorical; });
  return out;
}

Encoded TableCoder::apply(const Table& table, DType dtype) const {
  if (dtype != DType::float32 && dtype != DType::float64)  // codes have to be exact
    throw DtypeError(text("table coder: features cannot be ", dtype));
  const auto rows = static_cast<std::size_t>(table.rows());
  std::vector<double> values(rows * parts.size(), 0.0);
  std::vector<char> have(rows, 0);
  for (std::size_t j = 0; j < parts.size(); ++j) {
    const TableEncoder::Part& part = parts[j];
    std::vector<std::int64_t> place;
    const Column column = column_for("table coder", table, part, unseen, place);
    for (std::size_t row = 0; row < rows; ++row) {
      double& to = values[row * parts.size() + j];
      const bool missing = !part.seen || column.missing(static_cast<std::int64_t>(row));
      if (!missing) have[row] = 1;
      if (part.categorical)  // the place -1 of what training has not seen becomes 1, "unknown"
        to = missing ? 0 : static_cast<double>(place[static_cast<std::size_t>(column.codes[row])] + 2);
      else
        to = missing       ? not_known
             : standardize ? (column.numbers[row] - part.mean) / part.deviation
                           : column.numbers[row];
    }
  }
  return encoded(std::move(values), have, parts.size(), dtype);
}

std::int64_t TableCoder::numeric() const noexcept {
  return std::count_if(parts.begin(), parts.end(), [](const auto& part) { return !part.categorical; });
}

std::vector<std::int64_t> TableCoder::cardinalities() const {
  std::vector<std::int64_t> out;
  for (const TableEncoder::Part& part : parts)
    if (part.categorical) out.push_back(static_cast<std::int64_t>(part.levels.size()) + 2);
  return out;
}

std::vector<std::string> TableCoder::names() const {
  std::vector<std::string> out;
  for (const TableEncoder::Part& part : parts) out.push_back(part.column);
  return out;
}

std::string TableCoder::to_json() const { return parts_to_json(parts, standardize, unseen); }
TableCoder TableCoder::from_json(std::string_view encoded) {
  return parts_from_json<TableCoder>("table coder", encoded);
}

Tensor balanced_class_weights(std::span<const std::int64_t> labels, std::int64_t classes) {
  std::vector<double> counts(static_cast<std::size_t>(std::max<std::int64_t>(classes, 0)), 0.0);
  for (const std::int64_t label : labels) {
    if (label < 0 || label >= classes)
      throw ConfigError(text("balanced_class_weights: label ", label, " is outside the ", classes, " classes"));
    ++counts[static_cast<std::size_t>(label)];
  }
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0) throw ConfigError(text("balanced_class_weights: class ", c, " has no members"));
    counts[c] = static_cast<double>(labels.size()) / (static_cast<double>(classes) * counts[c]);
  }
  return narrowed(counts, {static_cast<std::int64_t>(counts.size())}, DType::float32);
}

}  // namespace weft::data
