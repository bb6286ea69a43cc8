#include <weft/study/impute.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <numeric>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/study/compare.h>
#include <weft/study/completing.h>
#include <weft/study/network.h>
#include <weft/tensor/create.h>

namespace weft::study {
namespace {

using Json = nlohmann::json;

/// What a completion is learned from.
struct Source {
  Study study;
  Dataset dataset;
  std::vector<std::int64_t> rows;
  std::uint64_t seed = 0;
};

Source source_of(const CommandOptions& options) {
  namespace fs = std::filesystem;
  Source source;
  if (!fs::is_directory(options.study)) {
    source.study = load_study(options.study);
    source.dataset = load_dataset(source.study);
    source.rows.resize(static_cast<std::size_t>(source.dataset.rows()));
    std::iota(source.rows.begin(), source.rows.end(), 0);
    if (source.dataset.fixed) source.rows = source.dataset.fixed->train;
    source.seed = source.study.train.seed;
    return source;
  }
  const std::string path = (fs::path(options.study) / "model.json").string();
  if (!fs::exists(path))
    throw FileError(text("impute: there is no model in ", options.study,
                         "\n  help: give a study file, or a folder that weft train wrote"));
  std::string trained_on;
  try {
    const Json in = Json::parse(data::read_file("impute", path));
    source.study = parse_study(in.at("study_file").get<std::string>(), in.at("study").get<std::string>());
    source.rows = in.at("train").get<std::vector<std::int64_t>>();
    source.seed = in.at("seed").get<std::uint64_t>();
    trained_on = in.at("data_checksum").get<std::string>();
  } catch (const Json::exception&) {
    throw FileError(text("impute: ", path, " is damaged"));
  }
  source.dataset = load_dataset(source.study);
  if (checksum(source.dataset) != trained_on)
    throw ConfigError(text("impute: the data of ", source.study.place.str(), " have changed since ", options.study,
                           " was trained\n  help: train again, or name the study file"));
  const std::int64_t rows = source.dataset.rows();
  if (std::ranges::any_of(source.rows, [rows](std::int64_t i) { return i < 0 || i >= rows; }))
    throw FileError(text("impute: ", path, " is damaged"));
  return source;
}

/// One column as it is shown: its values, and how sure they are.
struct Filled {
  data::Column column, sure;
};

/// Categories that these rows, or their absence, let look like numbers.
data::Column as_text(const data::Column& column) {
  if (column.categorical) return column;
  std::vector<std::string> values;
  for (const double v : column.numbers) {
    char buffer[32];
    values.emplace_back(buffer, std::isnan(v) ? buffer : std::to_chars(buffer, buffer + sizeof buffer, v).ptr);
  }
  return data::Column::of_text(column.name, values);
}

/// `means` and `variances` are (N, F), row-major; the column's numbers begin at `first`.
struct Grid {
  std::vector<double> means, variances;
  std::size_t width;
};

Filled filled_number(const data::Column& column, const data::TableEncoder::Part& part, bool standardized,
                     const Grid& grid, std::size_t first) {
  Filled out{column, data::Column::of_numbers("sd of " + column.name, {})};
  const double scale = standardized ? part.deviation : 1, center = standardized ? part.mean : 0;
  for (std::size_t i = 0; i < column.numbers.size(); ++i) {
    const std::size_t at = i * grid.width + first;
    const bool gap = column.missing(static_cast<std::int64_t>(i));
    if (gap) out.column.numbers[i] = center + scale * grid.means[at];
    out.sure.numbers.push_back(gap ? scale * std::sqrt(grid.variances[at]) : 0);
  }
  return out;
}

/// Indicators are filled in as numbers are; what lies below 0 or above 1 says as much as 0 and 1.
Filled filled_category(const data::Column& column, const data::TableEncoder::Part& part, const Grid& grid,
                       std::size_t first) {
  Filled out{{}, data::Column::of_numbers("probability of " + column.name, {})};
  std::vector<std::string> values;
  for (std::int64_t i = 0; i < column.size(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    if (!column.missing(i)) {
      values.push_back(column.levels[static_cast<std::size_t>(column.codes[row])]);
      out.sure.numbers.push_back(1);
      continue;
    }
    double sum = 0, most = -1;
    std::size_t best = 0;
    for (std::size_t k = 0; k < part.levels.size(); ++k) {
      const double share = std::clamp(grid.means[row * grid.width + first + k], 1e-6, 1.0);
      sum += share;
      if (share > most) most = share, best = k;
    }
    values.push_back(part.levels.empty() ? "" : part.levels[best]);
    out.sure.numbers.push_back(part.levels.empty() ? 0 : most / sum);
  }
  out.column = data::Column::of_text(column.name, values);
  return out;
}

}  // namespace

data::Table imputed(const data::Table& table, const Dataset& rows, const Preparation& preparation,
                    const fusion::Completion& completion, std::uint64_t seed) {
  constexpr std::int64_t draws = 100;
  Generator generator{derive_seed(seed, 6), 0};
  const data::Modalities x = as_float32(preparation.apply(rows));
  const fusion::Completed done = completion.complete(x, draws, {{}, observed_numbers(rows, preparation)}, generator);
  data::Table out = table;
  for (std::size_t m = 0; m < rows.evidence.size(); ++m) {
    const Tensor& means = done.filled.features[m];
    const Grid grid{to_vector<double>(means), to_vector<double>(done.variance[m]),
                    static_cast<std::size_t>(means.size(1))};
    std::size_t first = 0;
    for (const auto& part : preparation.encoders[m].parts) {
      const data::Column& column = rows.evidence[m].table.at(part.column);
      const data::Column own = part.categorical ? as_text(column) : column;
      bool gaps = false;
      for (std::int64_t i = 0; i < own.size(); ++i) gaps |= own.missing(i);
      if (gaps) {
        Filled filled = part.categorical ? filled_category(own, part, grid, first)
                                         : filled_number(own, part, preparation.encoders[m].standardize, grid, first);
        const auto at = std::ranges::find(out.columns, column.name, &data::Column::name);
        *at = std::move(filled.column);
        out.columns.insert(at + 1, std::move(filled.sure));
      }
      first += part.categorical ? part.levels.size() : 1U + part.indicator;
    }
  }
  return out;
}

void run_impute(const CommandOptions& options) {
  set_threads(1);
  const Source source = source_of(options);
  if (std::ranges::any_of(source.study.modalities, [](const ModalityConfig& m) { return !m.files.empty(); }))
    throw ConfigError(text("impute: ", source.study.place.str(), " reads NPY files; rows of a CSV do not fit it"));
  const Preparation preparation = Preparation::fit(source.dataset, source.rows);
  const Dataset rows = load_rows("impute", source.study, {options.rows}, preparation, source.dataset.classes);
  const data::Modalities train = as_float32(preparation.apply(source.dataset)).rows(source.rows);
  std::vector<Tensor> observed;
  for (const Tensor& each : observed_numbers(source.dataset, preparation))
    observed.push_back(data::take_rows(each, source.rows));
  const std::uint64_t seed = options.seed.value_or(source.seed);
  const fusion::Completion completion = fit_completion(train, observed, seed);
  const data::Table out = imputed(read_table(source.study.data, options.rows), rows, preparation, completion, seed);
  put_table(out, options);
}

}  // namespace weft::study
