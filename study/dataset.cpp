#include <weft/study/dataset.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <sstream>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/data/metrics.h>
#include <weft/data/npy.h>
#include <weft/study/checksum.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

using Strings = std::vector<std::string>;

void must_exist(const std::string& path, const Place& where) {
  if (!std::filesystem::exists(path)) throw MissingData(where, path);
}

bool matches_any(const Strings& patterns, const std::string& name) {
  return std::ranges::any_of(patterns, [&](const std::string& p) { return matches(p, name); });
}

/// A number as one would write it: 1, not 1.000000.
std::string plain(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

std::string plain(const data::Column& column, std::int64_t row) {
  const auto i = static_cast<std::size_t>(row);
  return column.categorical ? column.levels[static_cast<std::size_t>(column.codes[i])] : plain(column.numbers[i]);
}

/// A column whose numbers are names of categories.
data::Column as_text(const data::Column& column) {
  if (column.categorical) return column;
  Strings values;
  for (std::int64_t i = 0; i < column.size(); ++i) values.push_back(column.missing(i) ? "" : plain(column, i));
  return data::Column::of_text(column.name, values);
}

/// Ten after nine: classes named by numbers are ordered as numbers.
void sort_classes(Strings& names) {
  const auto number = [](const std::string& s, double& out) {
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out);
    return error == std::errc() && end == s.data() + s.size();
  };
  double ignored = 0;
  const bool numeric = std::ranges::all_of(names, [&](const std::string& s) { return number(s, ignored); });
  std::ranges::sort(names, [&](const std::string& a, const std::string& b) {
    double x = 0, y = 0;
    if (!numeric) return a < b;
    number(a, x);
    number(b, y);
    return x < y;
  });
}

/// Turns the target column into labels; the positive class goes last.
void label(Dataset& dataset, const Study& study, const data::Column& column) {
  const std::string where = study.target_place.str();
  Strings found;
  for (std::int64_t i = 0; i < column.size(); ++i) {
    if (column.missing(i)) throw ConfigError(text(where, ": the target is missing in row ", i + 1));
    found.push_back(plain(column, i));
  }
  Strings values = found;
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() < 2)
    throw ConfigError(text(where, column.size() == 1 ? ": the only row is" : text(": all ", column.size(), " rows are"),
                           " of class \"", values.front(), "\"; a classification needs two classes or more"));
  if (values.size() > 1000)
    throw ConfigError(text(where, ": the target has ", values.size(), " different values; is it a quantity?"));
  sort_classes(values);
  const auto shown = [&](const std::string& value) {
    const auto it = study.class_names.find(value);
    return it == study.class_names.end() ? value : it->second;
  };
  for (const auto& [value, name] : study.class_names)
    if (std::ranges::find(values, value) == values.end())
      throw ConfigError(text(study.classes_place.str(), ": [study.classes] names \"", value,
                             "\", which the target does not hold", closest(value, values)));
  if (!study.positive.empty()) {
    auto it = std::ranges::find_if(
        values, [&](const std::string& v) { return v == study.positive || shown(v) == study.positive; });
    if (it == values.end())
      throw ConfigError(text(study.positive_place.str(), ": the positive class \"", study.positive,
                             "\" does not occur in the target", closest(study.positive, values)));
    std::rotate(it, it + 1, values.end());
  }
  std::map<std::string, std::int64_t> index;
  for (const std::string& value : values) {
    index[value] = dataset.class_count();
    dataset.classes.push_back(shown(value));
  }
  for (const std::string& value : found) dataset.labels.push_back(index[value]);
}

void read_split_column(Dataset& dataset, const Study& study, const data::Table& table) {
  if (study.data.split_column.empty()) return;
  const data::Column& column = table.at(study.data.split_column);
  data::Split split;
  for (std::int64_t i = 0; i < column.size(); ++i) {
    const std::string part = column.missing(i) ? "" : plain(column, i);
    if (part != "train" && part != "test")
      throw ConfigError(text(study.data.place.str(), ": split column \"", column.name, "\" holds \"", part,
                             "\" in row ", i + 1, ", not train or test"));
    (part == "train" ? split.train : split.test).push_back(i);
  }
  dataset.fixed = std::move(split);
}

/// Throws ConfigError with the study's line in front of messages about patterns and columns.
template <class F>
auto located(const Place& where, F&& f) {
  try {
    return f();
  } catch (const ConfigError& e) {
    throw ConfigError(text(where.str(), ": ", e.what()));
  }
}

/// The line on which text stops being UTF-8, or holds a zero byte; 0 when it is all good.
std::size_t first_bad_line(std::string_view s) {
  std::size_t line = 1;
  for (std::size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i]);
    line += c == '\n';
    const std::size_t length = c == 0                  ? 0
                               : c < 0x80              ? 1
                               : c >= 0xc2 && c < 0xe0 ? 2
                               : c >= 0xe0 && c < 0xf0 ? 3
                               : c >= 0xf0 && c < 0xf5 ? 4
                                                       : 0;
    if (length == 0 || i + length > s.size()) return line;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xc0U) != 0x80U) return line;
    i += length;
  }
  return 0;
}

data::Table read_table(const Study& study, const std::string& path) {
  data::CsvOptions options;
  if (!study.data.missing.empty()) options.missing = study.data.missing;
  const std::string bytes = data::read_file("csv", path);
  // UTF-16 has a message of its own.
  if (const std::size_t line = first_bad_line(bytes);
      line > 0 && !bytes.starts_with("\xFF\xFE") && !bytes.starts_with("\xFE\xFF"))
    throw FileError(text("csv: ", path, ":", line, ": not UTF-8 text\n  help: save the table as CSV in UTF-8"));
  data::Table table = data::parse_csv(bytes, path, options);
  if (table.rows() == 0) throw FileError(text("csv: ", path, " has a header, but no rows"));
  // Beyond this, squares overflow.
  constexpr double largest = 1e150;
  for (const data::Column& column : table.columns)
    for (std::size_t i = 0; i < column.numbers.size(); ++i)
      if (std::abs(column.numbers[i]) > largest)
        throw FileError(text("csv: ", path, ": column \"", column.name, "\" holds ", column.numbers[i], " in row ",
                             i + 1, "\n  help: leave the field empty if the value is missing"));
  return table;
}

/// A value that only a test patient has is no reason to end a comparison: it counts as none of those known.
data::TableOptions options_of(const ModalityConfig& modality) {
  return {.standardize = modality.standardize, .indicators = modality.indicators, .unseen = data::Unseen::unknown};
}

/// Parts the columns of a CSV among the modalities.
void claim_columns(Dataset& dataset, const Study& study, const data::Table& table) {
  std::vector<std::string> owner(table.columns.size());
  std::vector<bool> taken(table.columns.size(), false);
  located(study.data.place, [&] {
    if (!study.data.exclude.empty())
      for (const std::size_t j : table.match(study.data.exclude)) taken[j] = true;
  });
  for (std::size_t j = 0; j < table.columns.size(); ++j)
    if (table.columns[j].name == study.target || table.columns[j].name == study.data.split_column) taken[j] = true;

  std::vector<std::vector<std::size_t>> claimed(study.modalities.size());
  for (std::size_t m = 0; m < study.modalities.size(); ++m) {
    const ModalityConfig& modality = study.modalities[m];
    if (modality.rest) continue;
    Strings patterns = modality.columns;
    for (const std::string& pattern : modality.exclude) patterns.push_back('!' + pattern);
    for (const std::size_t j : located(modality.columns_place, [&] { return table.match(patterns); })) {
      if (taken[j] && table.columns[j].name == study.target)
        throw ConfigError(
            text(modality.place.str(), ": modality \"", modality.name, "\" contains the target \"", study.target, '"'));
      if (taken[j]) continue;
      if (!owner[j].empty())
        throw ConfigError(text(modality.place.str(), ": column \"", table.columns[j].name, "\" is in \"", owner[j],
                               "\" and in \"", modality.name, '"'));
      owner[j] = modality.name;
      claimed[m].push_back(j);
    }
  }
  for (std::size_t m = 0; m < study.modalities.size(); ++m) {
    const ModalityConfig& modality = study.modalities[m];
    if (modality.rest)
      for (std::size_t j = 0; j < table.columns.size(); ++j)
        if (!taken[j] && owner[j].empty() && !matches_any(modality.exclude, table.columns[j].name))
          claimed[m].push_back(j);
    if (claimed[m].empty())
      throw ConfigError(
          text(modality.place.str(), ": modality \"", modality.name, "\" matches no column of ", table.source));
    Evidence evidence{modality.name, {table.source, {}}, options_of(modality)};
    for (const std::size_t j : claimed[m])
      evidence.table.columns.push_back(
          matches_any(modality.categorical, table.columns[j].name) ? as_text(table.columns[j]) : table.columns[j]);
    dataset.evidence.push_back(std::move(evidence));
  }
}

/// Stacks (N_i, F) files; images and signals (N_i, ...) as rows of F numbers.
std::vector<std::vector<double>> stack(const Strings& files, const Place& where, std::vector<std::int64_t>& counts) {
  std::vector<std::vector<double>> columns;
  for (const std::string& path : files) {
    must_exist(path, where);
    const Tensor x = data::load_npy(path);
    if (x.dim() == 0 || x.numel() == 0)
      throw ConfigError(text(where.str(), ": ", path, " has shape ", x.shape(), ", not (rows, features)"));
    const auto width = static_cast<std::size_t>(x.numel() / x.size(0));
    if (columns.empty()) columns.resize(width);
    if (columns.size() != width)
      throw ConfigError(
          text(where.str(), ": ", path, " has ", width, " columns, ", files.front(), " has ", columns.size()));
    const std::vector<double> values = to_vector<double>(x);
    for (std::size_t i = 0; i < values.size(); ++i) columns[i % width].push_back(values[i]);
    counts.push_back(x.size(0));
  }
  return columns;
}

Evidence read_arrays(const ModalityConfig& modality, std::vector<std::int64_t>& counts) {
  Evidence evidence{modality.name, {modality.files.front(), {}}, options_of(modality)};
  std::vector<std::vector<double>> columns = stack(modality.files, modality.place, counts);
  Strings names;
  if (!modality.feature_names.empty()) {
    must_exist(modality.feature_names, modality.place);
    std::istringstream lines(data::read_file("study", modality.feature_names));
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) names.push_back(line);
    if (names.size() != columns.size())
      throw ConfigError(text(modality.place.str(), ": ", modality.feature_names, " names ", names.size(), " features, ",
                             modality.files.front(), " has ", columns.size()));
  }
  for (std::size_t j = 0; j < columns.size(); ++j) {
    std::string name = names.empty() ? text("feature_", j + 1) : names[j];
    evidence.table.columns.push_back(data::Column::of_numbers(std::move(name), std::move(columns[j])));
    if (matches_any(modality.categorical, evidence.table.columns.back().name))
      evidence.table.columns.back() = as_text(evidence.table.columns.back());
  }
  return evidence;
}

void read_all_arrays(Dataset& dataset, const Study& study) {
  if (!study.data.folder.empty()) must_exist(study.data.folder, study.data.source_place);
  std::vector<std::int64_t> counts;
  std::vector<std::vector<double>> target = stack(study.target_files, study.target_place, counts);
  if (target.size() != 1)
    throw ConfigError(text(study.target_place.str(), ": the target has ", target.size(), " columns"));
  for (const ModalityConfig& modality : study.modalities) {
    std::vector<std::int64_t> own;
    dataset.evidence.push_back(read_arrays(modality, own));
    const Evidence& last = dataset.evidence.back();
    if (last.table.rows() != static_cast<std::int64_t>(target[0].size()))
      throw ConfigError(text(modality.place.str(), ": modality \"", modality.name, "\" has ", last.table.rows(),
                             " rows, the target ", target[0].size()));
    if (own != counts)
      throw ConfigError(text(modality.place.str(), ": the files of modality \"", modality.name,
                             "\" do not divide the rows as those of the target do"));
  }
  label(dataset, study, data::Column::of_numbers("target", std::move(target[0])));
  if (!study.data.fixed_split) return;
  if (counts.size() != 2)
    throw ConfigError(text(study.data.place.str(), ": fixed_split needs two files per modality, training rows first"));
  dataset.fixed.emplace();
  for (std::int64_t i = 0; i < counts[0] + counts[1]; ++i)
    (i < counts[0] ? dataset.fixed->train : dataset.fixed->test).push_back(i);
}

void somebody_has_each(const Dataset& dataset, const Study& study) {
  for (std::size_t m = 0; m < dataset.evidence.size(); ++m) {
    const auto& columns = dataset.evidence[m].table.columns;
    const bool any = std::ranges::any_of(columns, [](const data::Column& c) {
      for (std::int64_t i = 0; i < c.size(); ++i)
        if (!c.missing(i)) return true;
      return false;
    });
    if (!any)
      throw ConfigError(text(study.modalities[m].place.str(), ": nobody has modality \"", dataset.evidence[m].name,
                             "\": all ", columns.size(), " columns are empty in every row"));
  }
}

/// Images and signals have as many columns as their shape says.
void shapes_fit(const Dataset& dataset, const Study& study) {
  for (std::size_t m = 0; m < dataset.evidence.size(); ++m) {
    const EncoderConfig& encoder = study.modalities[m].encoder;
    if (encoder.type != "cnn" && encoder.type != "cnn1d") continue;
    const auto& columns = dataset.evidence[m].table.columns;
    const std::size_t axes = encoder.type == "cnn" ? 2 : 1;
    double numbers = 1;
    for (const std::int64_t n : encoder.shape) numbers *= static_cast<double>(n);
    if ((encoder.shape.size() == axes || encoder.shape.size() == axes + 1) &&
        numbers == static_cast<double>(columns.size()) && !study.modalities[m].indicators &&
        std::ranges::none_of(columns, &data::Column::categorical))
      continue;
    const Place& place = encoder.place.line > 0 ? encoder.place : study.modalities[m].place;
    throw ConfigError(text(place.str(), ": modality \"", dataset.evidence[m].name, "\" has ", columns.size(),
                           " columns, which the shape of its ", encoder.type, " does not fit\n  help: give shape = ",
                           axes == 2 ? "[channels, height, width]" : "[channels, steps]",
                           ", and numbers without indicators"));
  }
}

}  // namespace

Dataset load_dataset(const Study& study) {
  Dataset dataset;
  if (study.data.file.empty()) {
    read_all_arrays(dataset, study);
  } else {
    must_exist(study.data.file, study.data.source_place);
    const data::Table table = read_table(study, study.data.file);
    const data::Column& target =
        located(study.target_place, [&]() -> const data::Column& { return table.at(study.target); });
    claim_columns(dataset, study, table);
    label(dataset, study, target);
    located(study.data.place, [&] { read_split_column(dataset, study, table); });
  }
  somebody_has_each(dataset, study);
  shapes_fit(dataset, study);
  return dataset;
}

Dataset load_rows(const Study& study, const std::string& csv_path, const std::vector<std::string>& classes) {
  Dataset dataset;
  if (study.data.file.empty())
    throw ConfigError(text("predict: ", study.place.str(), " reads NPY files; rows of a CSV do not fit it"));
  const data::Table table = read_table(study, csv_path);
  // New rows need not have the columns that only training uses.
  Study slim = study;
  std::erase_if(slim.data.exclude, [&](const std::string& p) {
    return std::ranges::none_of(table.columns, [&](const data::Column& c) { return matches(p, c.name); });
  });
  claim_columns(dataset, slim, table);
  dataset.classes = classes;
  const auto names = table.names();
  if (std::ranges::find(names, study.target) == names.end()) return dataset;
  const data::Column& target = table.at(study.target);
  for (std::int64_t i = 0; i < target.size(); ++i)
    if (target.missing(i)) return dataset;
  for (std::int64_t i = 0; i < target.size(); ++i) {
    const std::string value = plain(target, i);
    const auto name = study.class_names.find(value);
    const auto it = std::ranges::find(classes, name == study.class_names.end() ? value : name->second);
    if (it == classes.end())
      throw ConfigError(text("csv: ", csv_path, ": row ", i + 1, " is of class \"", value,
                             "\", which the model does not know", closest(value, classes)));
    dataset.labels.push_back(it - classes.begin());
  }
  return dataset;
}

std::string checksum(const Dataset& dataset) {
  Checksum sum;
  for (const Evidence& e : dataset.evidence) {
    sum.add(e.name);
    for (const data::Column& c : e.table.columns) {
      sum.add(c.name);
      for (const double v : c.numbers) sum.add(v);
      for (const std::int64_t v : c.codes) sum.add(v);
      for (const std::string& level : c.levels) sum.add(level);
    }
  }
  for (const std::int64_t label : dataset.labels) sum.add(label);
  for (const std::string& name : dataset.classes) sum.add(name);
  return sum.str();
}

void check_enough(const Study& study, const Dataset& dataset) {
  const std::size_t classes = dataset.classes.size();
  data::Predictions trial;
  trial.classes = dataset.class_count();
  for (std::size_t c = 0; c < classes; ++c) trial.labels.push_back(static_cast<std::int64_t>(c));
  trial.probabilities.assign(classes * classes, 1 / static_cast<double>(classes));
  located(study.compare.place, [&] { data::metric(study.compare.metric).compute(trial); });
  located(study.train.place, [&] { data::metric(study.train.metric).compute(trial); });

  const std::string where = study.target_place.str();
  const auto count = [&](std::span<const std::int64_t> rows) {
    std::vector<std::int64_t> members(classes, 0);
    for (const std::int64_t i : rows) ++members[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(i)])];
    return members;
  };
  const auto rows_of = [](std::int64_t n) { return text(n, n == 1 ? " row" : " rows"); };
  std::vector<std::int64_t> all(static_cast<std::size_t>(dataset.rows()));
  std::iota(all.begin(), all.end(), 0);
  const std::vector<std::int64_t> members = count(all);
  for (std::size_t c = 0; c < classes; ++c)
    if (members[c] < 3)
      throw ConfigError(text(where, ": class \"", dataset.classes[c], "\" has ", rows_of(members[c]),
                             "; to train, to validate and to test takes 3\n  help: ",
                             classes > 10 ? "choose a target of few classes, if this one is a quantity"
                                          : "join rare classes, or leave their rows out"));
  // How many of each class are drawn does not depend on chance.
  Generator generator{0, 0};
  std::vector<data::Split> splits = {data::stratified_split(dataset.labels, study.compare.test, generator)};
  if (dataset.fixed) {
    const auto tested = count(dataset.fixed->test);
    if (std::ranges::count_if(tested, [](std::int64_t n) { return n > 0; }) < 2)
      throw ConfigError(text(study.data.place.str(), ": the split that comes with the data tests ",
                             rows_of(static_cast<std::int64_t>(dataset.fixed->test.size())),
                             "; rows of two classes or more are needed"));
    splits.push_back(*dataset.fixed);
  }
  for (const data::Split& split : splits) {
    const std::vector<std::int64_t> trained = count(split.train);
    for (std::size_t c = 0; c < classes; ++c) {
      if (study.train.folds > 1 && trained[c] < study.train.folds)
        throw ConfigError(text(study.train.place.str(), ": [train] wants ", study.train.folds, " folds, but class \"",
                               dataset.classes[c], "\" has ", rows_of(trained[c]), " to train on"));
      if (trained[c] < 2)
        throw ConfigError(
            text(where, ": of the ", rows_of(members[c]), " of class \"", dataset.classes[c], "\", ", trained[c],
                 " would be to train on; to train and to validate takes 2\n  help: lower test in [compare]"));
    }
  }
}

Preparation Preparation::fit(const Dataset& dataset, std::span<const std::int64_t> rows) {
  Preparation p;
  const std::vector<std::string> all = {"*"};
  for (const Evidence& e : dataset.evidence)
    p.encoders.push_back(data::TableEncoder::fit(e.table, all, rows, e.options));
  return p;
}

data::Modalities Preparation::apply(const Dataset& dataset) const {
  if (dataset.evidence.size() != encoders.size())
    throw ConfigError(text("prepare: ", dataset.evidence.size(), " modalities, ", encoders.size(), " were learned"));
  data::Modalities x;
  const std::int64_t rows = dataset.rows();
  const auto count = static_cast<std::int64_t>(encoders.size());
  x.present = empty({rows, count}, DType::boolean);
  bool* present = x.present.mutable_data<bool>();
  for (std::size_t m = 0; m < encoders.size(); ++m) {
    data::Encoded encoded;
    try {
      encoded = encoders[m].apply(dataset.evidence[m].table, DType::float64);
    } catch (const ConfigError& e) {
      throw ConfigError(text("modality \"", dataset.evidence[m].name, "\": ", e.what()));
    }
    x.names.push_back(dataset.evidence[m].name);
    x.features.push_back(encoded.features);
    const bool* has = encoded.present.data<bool>();
    for (std::int64_t i = 0; i < rows; ++i) present[i * count + static_cast<std::int64_t>(m)] = has[i];
  }
  return x;
}

std::string Preparation::to_json() const {
  nlohmann::json out = nlohmann::json::array();
  for (const data::TableEncoder& e : encoders) out.push_back(e.to_json());
  return out.dump();
}

Preparation Preparation::from_json(const std::string& json) {
  const auto in = nlohmann::json::parse(json, nullptr, false);
  if (!in.is_array()) throw ConfigError("prepare: the stored preparation is damaged");
  Preparation p;
  for (const auto& item : in) {
    if (!item.is_string()) throw ConfigError("prepare: the stored preparation is damaged");
    p.encoders.push_back(data::TableEncoder::from_json(item.get<std::string>()));
  }
  return p;
}

}  // namespace weft::study
