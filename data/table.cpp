#include <algorithm>
#include <unordered_set>

#include <weft/data/csv.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::data {
namespace {

std::string label(const Table& table) { return table.source.empty() ? "the table" : table.source; }

std::string_view positive(std::string_view pattern) noexcept {
  if (pattern.starts_with('!')) pattern.remove_prefix(1);
  return pattern;
}

}  // namespace

Column Column::of_text(std::string name, const std::vector<std::string>& values) {
  Column column;
  column.name = std::move(name);
  column.categorical = true;
  column.levels = values;
  std::sort(column.levels.begin(), column.levels.end());
  column.levels.erase(std::unique(column.levels.begin(), column.levels.end()), column.levels.end());
  if (!column.levels.empty() && column.levels.front().empty()) column.levels.erase(column.levels.begin());
  column.codes.reserve(values.size());
  for (const std::string& value : values) {
    const auto at = std::lower_bound(column.levels.begin(), column.levels.end(), value);
    column.codes.push_back(value.empty() ? -1 : at - column.levels.begin());
  }
  return column;
}

Column Column::of_numbers(std::string name, std::vector<double> values) {
  Column column;
  column.name = std::move(name);
  column.numbers = std::move(values);
  return column;
}

std::vector<std::string> Table::names() const {
  std::vector<std::string> out;
  for (const Column& column : columns) out.push_back(column.name);
  return out;
}

const Column& Table::at(std::string_view name) const {
  for (const Column& column : columns)
    if (column.name == name) return column;
  throw ConfigError(text("table: ", label(*this), " has no column \"", name, "\"", closest(name, names())));
}

std::vector<std::size_t> Table::match(std::span<const std::string> patterns) const {
  // Patterns that only take away are taken away from everything.
  const bool all = std::all_of(patterns.begin(), patterns.end(), [](const auto& p) { return p.starts_with('!'); });
  std::vector<char> chosen(columns.size(), all && !patterns.empty() ? 1 : 0);
  for (const bool add : {true, false})
    for (const std::string& pattern : patterns) {
      if (pattern.starts_with('!') == add) continue;
      bool found = false;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if (!matches(positive(pattern), columns[i].name)) continue;
        chosen[i] = add;
        found = true;
      }
      if (!found)
        throw ConfigError(text("table: ", label(*this), " has no column \"", positive(pattern), "\"",
                               closest(positive(pattern), names())));
    }
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (chosen[i]) out.push_back(i);
  return out;
}

Table Table::select(std::span<const std::string> patterns) const {
  Table out;
  out.source = source;
  for (const std::size_t i : match(patterns)) out.columns.push_back(columns[i]);
  return out;
}

Table Table::take(std::span<const std::int64_t> index) const {
  for (const std::int64_t row : index)
    if (row < 0 || row >= rows())
      throw ConfigError(text("table: row ", row, " is outside the ", rows(), " rows of ", label(*this)));
  Table out;
  out.source = source;
  for (const Column& column : columns) {
    Column part;
    part.name = column.name;
    part.categorical = column.categorical;
    part.levels = column.levels;
    for (const std::int64_t row : index) {
      const auto i = static_cast<std::size_t>(row);
      if (column.categorical)
        part.codes.push_back(column.codes[i]);
      else
        part.numbers.push_back(column.numbers[i]);
    }
    out.columns.push_back(std::move(part));
  }
  return out;
}

Tensor Table::matrix(std::span<const std::string> patterns) const {
  const std::vector<std::size_t> chosen = match(patterns);
  const auto width = static_cast<std::int64_t>(chosen.size());
  Tensor out = empty({rows(), width}, DType::float64);
  double* to = out.mutable_data<double>();
  for (std::int64_t j = 0; j < width; ++j) {
    const Column& column = columns[chosen[static_cast<std::size_t>(j)]];
    if (column.categorical)
      throw ConfigError(text("table: column \"", column.name, "\" of ", label(*this), " holds text, not numbers"));
    for (std::int64_t row = 0; row < rows(); ++row) to[row * width + j] = column.numbers[static_cast<std::size_t>(row)];
  }
  return out;
}

void Table::check() const {
  std::unordered_set<std::string_view> seen;
  for (const Column& column : columns) {
    if (column.size() != rows())
      throw ShapeError(text("table: column \"", column.name, "\" has ", column.size(), " rows, \"", columns[0].name,
                            "\" has ", rows()));
    if (!seen.insert(column.name).second)
      throw ConfigError(text("table: two columns are called \"", column.name, "\""));
  }
}

}  // namespace weft::data
