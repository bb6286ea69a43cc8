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
#include <weft/study/columns.h>
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

constexpr std::int64_t left_out = -1;

/// Turns the target column into labels; the positive class goes last. Rows that the study leaves out get `left_out`.
void label(Dataset& dataset, const Study& study, const data::Column& column) {
  const std::string where = study.target_place.str();
  const auto unused = [&](const std::string& value) {
    return std::ranges::find(study.leave_out, value) != study.leave_out.end();
  };
  Strings found, values;
  for (std::int64_t i = 0; i < column.size(); ++i) {
    found.push_back(column.missing(i) ? "" : plain(column, i));
    if (unused(found.back())) continue;
    if (column.missing(i))
      throw ConfigError(text(where, ": the target is missing in row ", i + 1,
                             "\n  help: leave such rows out by leave_out = [\"\"] in [study]"));
    values.push_back(found.back());
  }
  if (values.empty()) throw ConfigError(text(where, ": all ", column.size(), " rows are left out"));
  const std::size_t used = values.size();
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() < 2)
    throw ConfigError(text(where, used == 1 ? ": the only row is" : text(": all ", used, " rows are"), " of class \"",
                           values.front(), "\"; a classification needs two classes or more"));
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
  for (const std::string& value : found) dataset.labels.push_back(unused(value) ? left_out : index.at(value));
}

/// Whether an event happened by the study's horizon; missing where it had not when the row was last seen before that.
data::Column by_horizon(const Study& study, const data::Column& event, const data::Column& follow_up) {
  if (event.categorical || follow_up.categorical)
    throw ConfigError(text(study.target_place.str(), ": \"", event.categorical ? event.name : follow_up.name,
                           "\" holds text; events are 0 or 1 and their times numbers"));
  std::vector<double> out;
  for (std::size_t i = 0; i < event.numbers.size(); ++i) {
    const double happened = event.numbers[i], when = follow_up.numbers[i];
    if (happened != 0 && happened != 1 && !std::isnan(happened))
      throw ConfigError(text(study.target_place.str(), ": event \"", event.name, "\" is ", happened, " in row ", i + 1,
                             ", not 0 or 1"));
    out.push_back(happened == 1 && when <= study.horizon ? 1 : when >= study.horizon ? 0 : std::nan(""));
  }
  return data::Column::of_numbers(event.name, std::move(out));
}

/// Drops the rows that have no label.
void drop_left_out(Dataset& dataset) {
  std::vector<std::int64_t> kept, place(dataset.labels.size(), left_out);
  for (std::size_t i = 0; i < dataset.labels.size(); ++i)
    if (dataset.labels[i] != left_out) {
      place[i] = static_cast<std::int64_t>(kept.size());
      kept.push_back(static_cast<std::int64_t>(i));
    }
  if (kept.size() == place.size()) return;
  const auto take = [&](auto& values) {
    std::remove_reference_t<decltype(values)> out;
    for (const std::int64_t i : kept) out.push_back(values[static_cast<std::size_t>(i)]);
    values = std::move(out);
  };
  for (Evidence& e : dataset.evidence) {
    e.table = e.table.take(kept);
    if (!e.quality.numbers.empty()) take(e.quality.numbers);
  }
  take(dataset.labels);
  if (!dataset.time.empty()) take(dataset.time);
  if (dataset.group) take(dataset.group->code);
  if (dataset.site) take(dataset.site->code);
  for (Parting& p : dataset.subgroups) take(p.code);
  if (!dataset.fixed) return;
  for (std::vector<std::int64_t>* rows : {&dataset.fixed->train, &dataset.fixed->test}) {
    std::vector<std::int64_t> moved;
    for (const std::int64_t i : *rows)
      if (place[static_cast<std::size_t>(i)] != left_out) moved.push_back(place[static_cast<std::size_t>(i)]);
    *rows = std::move(moved);
  }
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

data::TableOptions options_of(const ModalityConfig& modality) {
  return {.standardize = modality.standardize, .indicators = modality.indicators, .unseen = data::Unseen::unknown};
}

/// What a modality's own options do to its numbers, value by value: nothing is learned from other rows.
void transform(data::Column& column, const ModalityConfig& modality) {
  if (column.categorical) return;
  if (matches_any(modality.zero_missing, column.name)) std::ranges::replace(column.numbers, 0.0, std::nan(""));
  for (double& v : column.numbers) {
    if (!modality.clip.empty() && !std::isnan(v)) v = std::clamp(v, modality.clip[0], modality.clip[1]);
    if (!modality.log) continue;
    if (v <= -1)
      throw ConfigError(text(modality.place.str(), ": modality \"", modality.name, "\" has ", v, " in \"", column.name,
                             "\", which has no log2(1 + x)"));
    v = std::log2(1 + v);
  }
}

/// Parts the columns of a CSV among the modalities that take columns; `dataset` gets their evidence in order.
void claim_columns(Dataset& dataset, const Study& study, const data::Table& table) {
  std::vector<std::string> owner(table.columns.size());
  std::vector<bool> taken(table.columns.size(), false);
  located(study.data.place, [&] {
    if (!study.data.exclude.empty())
      for (const std::size_t j : table.match(study.data.exclude)) taken[j] = true;
  });
  // What says how rows are split, how good a modality is, or what becomes of a patient, is no evidence.
  Strings apart = {study.target, study.data.split_column, study.follow_up};
  for (const Strings* names : {&study.split.group, &study.split.site, &study.split.time})
    apart.insert(apart.end(), names->begin(), names->end());
  for (const ModalityConfig& m : study.modalities) apart.insert(apart.end(), m.quality.begin(), m.quality.end());
  for (std::size_t j = 0; j < table.columns.size(); ++j)
    if (std::ranges::find(apart, table.columns[j].name) != apart.end()) taken[j] = true;

  std::vector<std::vector<std::size_t>> claimed(study.modalities.size());
  for (std::size_t m = 0; m < study.modalities.size(); ++m) {
    const ModalityConfig& modality = study.modalities[m];
    if (modality.rest || !modality.files.empty()) continue;
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
    if (!modality.files.empty()) {
      dataset.evidence.push_back({modality.name, {}});  // read_arrays() fills it
      continue;
    }
    if (modality.rest)
      for (std::size_t j = 0; j < table.columns.size(); ++j)
        if (!taken[j] && owner[j].empty() && !matches_any(modality.exclude, table.columns[j].name))
          claimed[m].push_back(j);
    if (claimed[m].empty())
      throw ConfigError(
          text(modality.place.str(), ": modality \"", modality.name, "\" matches no column of ", table.source));
    Evidence evidence{modality.name, {table.source, {}}, options_of(modality)};
    for (const std::size_t j : claimed[m]) {
      evidence.table.columns.push_back(
          matches_any(modality.categorical, table.columns[j].name) ? as_text(table.columns[j]) : table.columns[j]);
      transform(evidence.table.columns.back(), modality);
    }
    dataset.evidence.push_back(std::move(evidence));
  }
}

/// An NPY file, or a member of an archive.
Tensor load_array(const std::string& path, const Place& where) {
  const std::size_t colon = path.find(".npz:");
  if (colon == std::string::npos) {
    must_exist(path, where);
    return data::load_npy(path);
  }
  const std::string archive = path.substr(0, colon + 4), name = path.substr(colon + 5);
  must_exist(archive, where);
  auto arrays = data::load_npz(archive);
  const auto it = arrays.find(name);
  if (it != arrays.end()) return it->second;
  Strings names;
  for (const auto& [one, x] : arrays) names.push_back(one);
  throw ConfigError(text(where.str(), ": ", archive, " has no array \"", name, '"', closest(name, names)));
}

/// Stacks (N_i, F) files; images and signals (N_i, ...) as rows of F numbers.
std::vector<std::vector<double>> stack(const Strings& files, const Place& where, std::vector<std::int64_t>& counts) {
  std::vector<std::vector<double>> columns;
  for (const std::string& path : files) {
    const Tensor x = load_array(path, where);
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

/// Columns of arrays as the evidence of a modality; without names they are numbered.
Evidence evidence_of(const ModalityConfig& modality, const std::string& source,
                     std::vector<std::vector<double>> columns, const Strings& names) {
  Evidence evidence{modality.name, {source, {}}, options_of(modality)};
  for (std::size_t j = 0; j < columns.size(); ++j) {
    std::string name = names.empty() ? text("feature_", j + 1) : names[j];
    evidence.table.columns.push_back(data::Column::of_numbers(std::move(name), std::move(columns[j])));
    if (matches_any(modality.categorical, evidence.table.columns.back().name))
      evidence.table.columns.back() = as_text(evidence.table.columns.back());
    transform(evidence.table.columns.back(), modality);
  }
  return evidence;
}

Evidence read_arrays(const ModalityConfig& modality, std::vector<std::int64_t>& counts) {
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
  return evidence_of(modality, modality.files.front(), std::move(columns), names);
}

/// The modalities that are in files; the target too where it is. `counts`: rows of each of the target's files.
void read_all_arrays(Dataset& dataset, const Study& study, std::vector<std::int64_t>& counts, std::int64_t rows) {
  for (std::size_t m = 0; m < study.modalities.size(); ++m) {
    const ModalityConfig& modality = study.modalities[m];
    if (modality.files.empty()) continue;
    std::vector<std::int64_t> own;
    dataset.evidence[m] = read_arrays(modality, own);
    const data::Table& table = dataset.evidence[m].table;
    if (table.rows() != rows)
      throw ConfigError(text(modality.place.str(), ": modality \"", modality.name, "\" has ", table.rows(),
                             " rows, the target ", rows));
    if (!counts.empty() && counts.size() == own.size() && own != counts)
      throw ConfigError(text(modality.place.str(), ": the files of modality \"", modality.name,
                             "\" do not divide the rows as those of the target do"));
    if (counts.empty()) counts = own;
  }
  if (!study.data.fixed_split) return;
  if (counts.size() != 2)
    throw ConfigError(text(study.data.place.str(), ": fixed_split needs two files per modality, training rows first"));
  dataset.fixed.emplace();
  for (std::int64_t i = 0; i < counts[0] + counts[1]; ++i)
    (i < counts[0] ? dataset.fixed->train : dataset.fixed->test).push_back(i);
}

/// One value per row, from the CSV or from files.
data::Column column_of(const Strings& names, const data::Table* table, const Place& where, std::int64_t rows) {
  const bool in_table = table && names.size() == 1 && names[0].find(".np") == std::string::npos;
  if (in_table) return located(where, [&] { return table->at(names[0]); });
  std::vector<std::int64_t> counts;
  std::vector<std::vector<double>> columns = stack(names, where, counts);
  if (columns.size() != 1)
    throw ConfigError(text(where.str(), ": ", names.front(), " has ", columns.size(), " columns, not one"));
  if (rows > 0 && static_cast<std::int64_t>(columns[0].size()) != rows)
    throw ConfigError(text(where.str(), ": ", names.front(), " has ", columns[0].size(), " rows, the others ", rows));
  return data::Column::of_numbers(std::filesystem::path(names.front()).stem().string(), std::move(columns[0]));
}

/// Where a row says nothing of its quality, it counts as if nobody had asked.
void set_quality(Evidence& evidence, data::Column quality, const Place& where) {
  const std::string what = text(where.str(), ": the quality \"", quality.name, "\" of modality \"", evidence.name, '"');
  if (quality.categorical) throw ConfigError(text(what, " holds text, not numbers from 0 to 1"));
  for (std::size_t i = 0; i < quality.numbers.size(); ++i) {
    double& v = quality.numbers[i];
    if (std::isnan(v)) v = 1;
    if (!(v >= 0 && v <= 1))
      throw ConfigError(text(what, " is ", v, " in row ", i + 1, "\n  help: bring it to a scale from 0 to 1"));
  }
  evidence.quality = std::move(quality);
}

/// Groups, sites, times and subgroups.
void read_partings(Dataset& dataset, const Study& study, const data::Table* table) {
  const auto rows = static_cast<std::int64_t>(dataset.labels.size());
  const Place& where = study.split.place;
  const auto column = [&](const Strings& names, const Place& place) { return column_of(names, table, place, rows); };
  if (!study.split.group.empty()) {
    const data::Column groups = column(study.split.group, where);
    for (std::int64_t i = 0; i < rows; ++i)
      if (groups.missing(i))
        throw ConfigError(text(where.str(), ": the group \"", groups.name, "\" is missing in row ", i + 1,
                               "\n  help: give each row without one a group of its own"));
    dataset.group = parting_of(groups);
  }
  if (!study.split.site.empty()) dataset.site = parting_of(column(study.split.site, where));
  if (!study.split.time.empty()) {
    data::Column time = column(study.split.time, where);
    for (std::int64_t i = 0; i < rows; ++i)
      if (time.categorical || time.missing(i))
        throw ConfigError(text(where.str(), ": the time \"", time.name, "\" is no number in row ", i + 1));
    dataset.time = std::move(time.numbers);
  }
  for (const std::string& name : study.compare.subgroups)
    dataset.subgroups.push_back(parting_of(column({name}, study.compare.place)));
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

data::Table read_table(const DataConfig& config, const std::string& path) {
  data::CsvOptions options;
  if (!config.missing.empty()) options.missing = config.missing;
  options.delimiter = config.separator;
  options.decimal = config.decimal;
  options.header = config.header;
  options.skip_lines = static_cast<int>(config.skip_lines);
  const std::string bytes = table_bytes("csv", path);
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

Parting parting_of(const data::Column& column) {
  const data::Column named = as_text(column);
  Parting out{column.name, {}, named.levels};
  const auto none = static_cast<std::int64_t>(named.levels.size());
  for (const std::int64_t code : named.codes) out.code.push_back(code < 0 ? none : code);
  if (std::ranges::find(out.code, none) != out.code.end()) out.values.emplace_back("missing");
  return out;
}

Dataset load_dataset(const Study& study) {
  Dataset dataset;
  dataset.evidence.resize(study.data.file.empty() ? study.modalities.size() : 0);
  if (!study.data.folder.empty()) must_exist(study.data.folder, study.data.source_place);
  std::optional<data::Table> table;
  std::vector<std::int64_t> counts;
  if (!study.data.file.empty()) {
    must_exist(study.data.file, study.data.source_place);
    table = read_table(study.data, study.data.file);
    claim_columns(dataset, study, *table);
  }
  data::Column target;
  if (study.target_files.empty()) {
    target = located(study.target_place, [&] { return table->at(study.target); });
  } else {
    std::vector<std::vector<double>> columns = stack(study.target_files, study.target_place, counts);
    if (columns.size() != 1)
      throw ConfigError(text(study.target_place.str(), ": the target has ", columns.size(), " columns"));
    target = data::Column::of_numbers("target", std::move(columns[0]));
    if (table && table->rows() != target.size())
      throw ConfigError(text(study.target_place.str(), ": the target has ", target.size(), " rows, ", table->source,
                             " has ", table->rows()));
  }
  read_all_arrays(dataset, study, counts, target.size());
  Study naming = study;
  if (!study.follow_up.empty()) {
    if (!table) throw ConfigError(text(study.target_place.str(), ": follow_up needs a CSV in [data]"));
    target = by_horizon(study, target, located(study.target_place, [&] { return table->at(study.follow_up); }));
    naming.leave_out.emplace_back();
  }
  label(dataset, naming, target);
  for (std::size_t m = 0; m < study.modalities.size(); ++m) {
    const ModalityConfig& modality = study.modalities[m];
    if (modality.quality.empty()) continue;
    const data::Table* columns = table ? &*table : nullptr;
    set_quality(dataset.evidence[m], column_of(modality.quality, columns, modality.quality_place, target.size()),
                modality.quality_place);
  }
  if (table) located(study.data.place, [&] { read_split_column(dataset, study, *table); });
  read_partings(dataset, study, table ? &*table : nullptr);
  drop_left_out(dataset);
  somebody_has_each(dataset, study);
  shapes_fit(dataset, study);
  return dataset;
}

namespace {

bool in_files(const Strings& names) { return !names.empty() && names.front().find(".np") != std::string::npos; }

/// The place of a modality that the command line names.
std::size_t place_of(const std::string& operation, const Study& study, const std::string& name) {
  Strings names;
  for (const ModalityConfig& m : study.modalities) names.push_back(m.name);
  const auto it = std::ranges::find(names, name);
  if (it == names.end())
    throw ConfigError(text(operation, ": there is no modality \"", name, '"', closest(name, names)));
  return static_cast<std::size_t>(it - names.begin());
}

/// The file of each modality that the study reads from such; "" for those that take columns.
Strings files_by_modality(const std::string& operation, const Study& study, const NewRows& rows) {
  Strings out(study.modalities.size());
  for (const auto& [name, path] : rows.files) {
    const std::size_t m = place_of(operation, study, name);
    if (study.modalities[m].files.empty())
      throw ConfigError(text(operation, ": modality \"", name, "\" takes columns of the CSV, not a file"));
    if (!out[m].empty())
      throw ConfigError(text(operation, ": modality \"", name, "\" has two files, ", out[m], " and ", path));
    out[m] = path;
  }
  for (std::size_t m = 0; m < out.size(); ++m) {
    const ModalityConfig& modality = study.modalities[m];
    if (modality.files.empty() && rows.csv.empty())
      throw ConfigError(text(operation, ": modality \"", modality.name,
                             "\" takes columns\n  help: name a CSV of rows that has them"));
    if (!modality.files.empty() && out[m].empty())
      throw ConfigError(text(operation, ": modality \"", modality.name,
                             "\" is read from NPY files\n  help: give its rows by --file \"", modality.name,
                             "=FILE.npy\""));
  }
  if (study.data.file.empty() && !rows.csv.empty())
    throw ConfigError(
        text(operation, ": ", study.place.str(), " reads NPY files only; ", rows.csv, " does not fit it"));
  return out;
}

/// The quality of modalities in new rows, from where the study has it.
void read_quality(Dataset& dataset, const std::string& operation, const Study& study, const NewRows& rows,
                  const data::Table* table) {
  const Place where{operation};
  Strings files(study.modalities.size());
  for (const auto& [name, path] : rows.qualities) {
    const std::size_t m = place_of(operation, study, name);
    if (!in_files(study.modalities[m].quality))
      throw ConfigError(text(operation, ": the study reads no quality of modality \"", name, "\" from a file"));
    files[m] = path;
  }
  for (std::size_t m = 0; m < files.size(); ++m) {
    const ModalityConfig& modality = study.modalities[m];
    if (modality.quality.empty()) continue;
    const bool in_file = in_files(modality.quality);
    if (in_file && files[m].empty())
      throw ConfigError(text(operation, ": the quality of modality \"", modality.name,
                             "\" is read from NPY files\n  help: give that of its rows by --quality \"", modality.name,
                             "=FILE.npy\""));
    if (!in_file && !table)
      throw ConfigError(text(operation, ": the quality of modality \"", modality.name,
                             "\" is a column\n  help: name a CSV of rows that has it"));
    set_quality(dataset.evidence[m],
                column_of(in_file ? Strings{files[m]} : modality.quality, table, where, dataset.rows()), where);
  }
}

/// The classes of new rows; none when one is not known.
std::vector<std::int64_t> labels_of(const Study& study, const data::Column& target, const std::string& source,
                                    const Strings& classes) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < target.size(); ++i)
    if (target.missing(i)) return labels;
  for (std::int64_t i = 0; i < target.size(); ++i) {
    const std::string value = plain(target, i);
    const auto name = study.class_names.find(value);
    const auto it = std::ranges::find(classes, name == study.class_names.end() ? value : name->second);
    if (it == classes.end())
      throw ConfigError(text(source, ": row ", i + 1, " is of class \"", value, "\", which the model does not know",
                             closest(value, classes)));
    labels.push_back(it - classes.begin());
  }
  return labels;
}

}  // namespace

Dataset load_rows(const char* operation, const Study& study, const NewRows& rows, const Preparation& preparation,
                  const Strings& classes) {
  const Place where{operation};
  const Strings files = files_by_modality(operation, study, rows);
  Dataset dataset;
  dataset.classes = classes;
  dataset.evidence.resize(rows.csv.empty() ? study.modalities.size() : 0);
  std::optional<data::Table> table;
  if (!rows.csv.empty()) {
    table = read_table(study.data, rows.csv);
    // New rows need not have the columns that only training uses.
    Study slim = study;
    std::erase_if(slim.data.exclude, [&](const std::string& p) {
      return std::ranges::none_of(table->columns, [&](const data::Column& c) { return matches(p, c.name); });
    });
    claim_columns(dataset, slim, *table);
  }
  std::vector<std::int64_t> counts;
  for (std::size_t m = 0; m < files.size(); ++m) {
    if (files[m].empty()) continue;
    Strings names;  // as in training: a file of names may not be here
    for (const auto& part : preparation.encoders.at(m).parts) names.push_back(part.column);
    std::vector<std::vector<double>> columns = stack({files[m]}, where, counts);
    if (columns.size() != names.size())
      throw ConfigError(text(operation, ": ", files[m], " has ", columns.size(), " columns, modality \"",
                             study.modalities[m].name, "\" had ", names.size(), " in training"));
    dataset.evidence[m] = evidence_of(study.modalities[m], files[m], std::move(columns), names);
  }
  for (const Evidence& e : dataset.evidence)
    if (e.table.rows() != dataset.rows())
      throw ConfigError(text(operation, ": ", e.table.source, " has ", e.table.rows(), " rows, ",
                             dataset.evidence.front().table.source, " has ", dataset.rows()));
  read_quality(dataset, operation, study, rows, table ? &*table : nullptr);
  if (!rows.target.empty()) {
    if (study.target_files.empty())
      throw ConfigError(text(operation, ": the target \"", study.target, "\" is a column of the CSV, not a file"));
    const data::Column target = column_of({rows.target}, nullptr, where, dataset.rows());
    dataset.labels = labels_of(study, target, text(operation, ": ", rows.target), classes);
  } else if (table && study.follow_up.empty()) {
    const Strings names = table->names();
    if (std::ranges::find(names, study.target) != names.end())
      dataset.labels = labels_of(study, table->at(study.target), text("csv: ", rows.csv), classes);
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
  for (const Evidence& e : dataset.evidence)
    for (const double v : e.quality.numbers) sum.add(v);
  for (const std::int64_t label : dataset.labels) sum.add(label);
  for (const std::string& name : dataset.classes) sum.add(name);
  for (const Parting* p : {dataset.group ? &*dataset.group : nullptr, dataset.site ? &*dataset.site : nullptr})
    if (p)
      for (const std::int64_t code : p->code) sum.add(code);
  for (const double v : dataset.time) sum.add(v);
  return sum.str();
}

}  // namespace weft::study
