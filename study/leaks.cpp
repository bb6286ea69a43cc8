#include <weft/study/leaks.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <unordered_map>

#include <weft/study/checksum.h>
#include <weft/study/splitting.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

using Rows = std::vector<std::int64_t>;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

bool same_value(const data::Column& c, std::int64_t a, std::int64_t b) {
  if (c.categorical) return c.codes[at(a)] == c.codes[at(b)];
  return c.numbers[at(a)] == c.numbers[at(b)] || (c.missing(a) && c.missing(b));
}

bool same_row(const Dataset& dataset, std::int64_t a, std::int64_t b) {
  for (const Evidence& e : dataset.evidence)
    for (const data::Column& c : e.table.columns)
      if (!same_value(c, a, b)) return false;
  return true;
}

/// How many rows of a data set like this one would agree with a row in every value that it has, were columns
/// independent. That the row itself and a twin have them is no evidence of how common they are.
double expected_twins(const Dataset& dataset, std::int64_t row) {
  const auto rows = static_cast<double>(dataset.rows());
  double expected = rows;
  for (const Evidence& e : dataset.evidence)
    for (const data::Column& c : e.table.columns) {
      if (c.missing(row)) continue;
      double alike = 0.5 - 2;
      for (std::int64_t i = 0; i < dataset.rows(); ++i) alike += same_value(c, row, i);
      expected *= alike / rows;
      if (expected < 1e-6) return expected;
    }
  return expected;
}

constexpr double not_by_chance = 0.01;
/// A column of fewer values may part the classes by luck.
constexpr std::size_t enough_values = 20;

/// Whether each value of a column has one class only, and values repeat: 5 rows each or more on average.
template <class T>
bool codes_tell(const std::vector<T>& values, const Rows& labels) {
  std::map<T, std::int64_t> first;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (const auto [it, added] = first.emplace(values[i], labels[i]); !added && it->second != labels[i]) return false;
  return first.size() * 5 <= values.size();
}

/// Whether the values in order pass from one class to the next and never back.
bool thresholds_tell(const std::vector<double>& values, const Rows& labels, std::size_t classes) {
  std::vector<std::pair<double, std::int64_t>> sorted;
  for (std::size_t i = 0; i < values.size(); ++i) sorted.emplace_back(values[i], labels[i]);
  std::ranges::sort(sorted);
  std::size_t changes = 0;
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i].second == sorted[i - 1].second) continue;
    if (sorted[i].first == sorted[i - 1].first) return false;
    ++changes;
  }
  return changes + 1 == classes;
}

std::size_t classes_in(const Rows& labels) {
  Rows seen = labels;
  std::ranges::sort(seen);
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  return seen.size();
}

/// "row 7": as people count.
std::string row(std::int64_t i) { return text("row ", i + 1); }

std::vector<char> members(const Rows& rows, std::int64_t count) {
  std::vector<char> in(at(count), 0);
  for (const std::int64_t i : rows) in[at(i)] = 1;
  return in;
}

/// Other values in the rows that are not to train on.
Dataset with_other_values(const Dataset& dataset, const data::Split& split) {
  Dataset out = dataset;
  const std::vector<char> trained = members(split.train, dataset.rows());
  for (Evidence& e : out.evidence)
    for (data::Column& c : e.table.columns)
      for (std::size_t i = 0; i < trained.size(); ++i) {
        if (trained[i]) continue;
        if (c.categorical)
          c.codes[i] = c.codes[i] < 0 ? 0 : (c.codes[i] + 1) % static_cast<std::int64_t>(c.levels.size());
        else
          c.numbers[i] = std::isnan(c.numbers[i]) ? 1 : std::nan("");
      }
  return out;
}

}  // namespace

std::string telling(const data::Column& column, const std::vector<std::int64_t>& labels) {
  std::vector<double> numbers;
  Rows codes, own, there;
  for (std::int64_t i = 0; i < column.size(); ++i) {
    there.push_back(column.missing(i) ? 0 : 1);
    if (column.missing(i)) continue;
    own.push_back(labels[at(i)]);
    if (column.categorical)
      codes.push_back(column.codes[at(i)]);
    else
      numbers.push_back(column.numbers[at(i)]);
  }
  const std::size_t missing = labels.size() - own.size();
  // A gap that only ever meets one class, and a value the other: whether it was measured is the answer.
  if (std::min(missing, own.size()) * 2 >= enough_values && codes_tell(there, labels))
    return "is missing exactly where the class is another";
  const std::size_t classes = classes_in(own);
  if (own.size() < enough_values || classes < 2) return "";
  if (column.categorical ? codes_tell(codes, own) : thresholds_tell(numbers, own, classes) || codes_tell(numbers, own))
    return "tells the class without an error";
  return "";
}

DuplicateRows duplicate_rows(const Dataset& dataset) {
  std::vector<Checksum> sums(at(dataset.rows()));
  for (const Evidence& e : dataset.evidence)
    for (const data::Column& c : e.table.columns)
      for (std::size_t i = 0; i < sums.size(); ++i) {
        if (c.categorical)
          sums[i].add(c.codes[i]);
        else  // 0 and -0 are one value, and all gaps are alike
          sums[i].add(std::isnan(c.numbers[i]) ? 1e300 : c.numbers[i] + 0.0);
      }
  std::unordered_map<std::string, Rows> buckets;
  DuplicateRows out;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    Rows& firsts = buckets[sums[i].str()];
    const auto own = static_cast<std::int64_t>(i);
    const auto twin = std::ranges::find_if(firsts, [&](std::int64_t other) { return same_row(dataset, other, own); });
    if (twin == firsts.end())
      firsts.push_back(own);
    else
      out.emplace_back(*twin, own);
  }
  std::map<std::int64_t, bool> suspicious;
  for (const auto& [first, later] : out)
    if (!suspicious.contains(first)) suspicious[first] = expected_twins(dataset, first) < not_by_chance;
  std::erase_if(out, [&](const auto& pair) { return !suspicious[pair.first]; });
  return out;
}

void check_columns(const Study& study, const Dataset& dataset) {
  const auto check = [&](std::size_t m, const data::Column& column) {
    const auto trusted = [&](const std::string& pattern) { return matches(pattern, column.name); };
    if (std::ranges::any_of(study.split.trusted, trusted)) return;
    const std::string how = telling(column, dataset.labels);
    if (!how.empty())
      throw ConfigError(text(study.modalities[m].place.str(), ": column \"", column.name, "\" of modality \"",
                             dataset.evidence[m].name, "\" ", how,
                             ": the target, or something made from it\n  help: take it out with exclude, or, if it "
                             "was known before the outcome, name it under trusted in [split]"));
  };
  for (std::size_t m = 0; m < dataset.evidence.size(); ++m) {
    const Evidence& evidence = dataset.evidence[m];
    for (const data::Column& column : evidence.table.columns) check(m, column);
    // Weights follow the quality: it could tell as much as a feature.
    if (!evidence.quality.numbers.empty()) check(m, evidence.quality);
  }
}

void check_split(const Study& study, const Dataset& dataset, const data::Split& split, const std::string& name,
                 const DuplicateRows& duplicates) {
  const std::string where = study.split.place.str();
  const std::vector<char> trained = members(split.train, dataset.rows()), tested = members(split.test, dataset.rows());
  for (const std::int64_t i : split.test)
    if (trained[at(i)]) throw ConfigError(text(where, ": ", name, ": ", row(i), " is both to train and to test on"));
  if (dataset.group) {
    std::map<std::int64_t, std::int64_t> first;
    for (const std::int64_t i : split.train) first.emplace(dataset.group->code[at(i)], i);
    for (const std::int64_t i : split.test)
      if (const auto it = first.find(dataset.group->code[at(i)]); it != first.end())
        throw ConfigError(text(where, ": ", name, ": \"", dataset.group->values[at(it->first)], "\" of \"",
                               dataset.group->name, "\" is on both sides: ", row(it->second), " trains, ", row(i),
                               " tests\n  help: part whole groups, or leave the given split out"));
  }
  if (study.split.duplicates == "allow") return;
  std::map<std::int64_t, Rows> alike;
  for (const auto& [a, b] : duplicates) {
    Rows& rows = alike[a];
    if (rows.empty()) rows.push_back(a);
    rows.push_back(b);
  }
  for (const auto& [first, rows] : alike) {
    const auto train = std::ranges::find_if(rows, [&](std::int64_t i) { return trained[at(i)] != 0; });
    const auto test = std::ranges::find_if(rows, [&](std::int64_t i) { return tested[at(i)] != 0; });
    if (train == rows.end() || test == rows.end()) continue;
    throw ConfigError(text(where, ": ", name, ": ", row(*train), ", which trains, and ", row(*test),
                           ", which tests, are the same in everything (", duplicates.size(),
                           " such rows in all)\n  help: name what they share as group in [split], or set duplicates = ",
                           study.split.duplicates == "together" ? "\"allow\"" : "\"together\" (or \"allow\")"));
  }
}

void check_leaks(const Study& study, const Dataset& dataset, const Splits& splits) {
  check_columns(study, dataset);
  const DuplicateRows duplicates = study.split.duplicates == "allow" ? DuplicateRows() : duplicate_rows(dataset);
  for (const auto& [name, split] : splits.named()) check_split(study, dataset, *split, name, duplicates);
}

void check_preparation(const Preparation& preparation, const data::Split& split, const std::string& name) {
  Rows train = split.train;
  std::ranges::sort(train);
  const auto foreign = static_cast<std::size_t>(
      std::ranges::count_if(preparation.rows, [&](std::int64_t i) { return !std::ranges::binary_search(train, i); }));
  if (foreign > 0)
    throw ConfigError(text("compare: ", name, ": the preparation was learned from ", preparation.rows.size(),
                           " rows, of which ", foreign,
                           " are not to train on\n  help: learn means, scales and categories from the training rows"));
}

void check_prepare(const Prepare& prepare, const Dataset& dataset, const data::Split& split, const std::string& name) {
  const Dataset other = with_other_values(dataset, split);
  const data::Modalities a = prepare(dataset, split.train).apply(dataset).rows(split.train),
                         b = prepare(other, split.train).apply(other).rows(split.train);
  for (std::size_t m = 0; m < a.features.size(); ++m) {
    bool same = a.features[m].shape() == b.features[m].shape();
    const double *x = a.features[m].data<double>(), *y = b.features[m].data<double>();
    for (std::int64_t i = 0; same && i < a.features[m].numel(); ++i)
      same = x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]));
    if (!same)
      throw ConfigError(text("compare: ", name, ": what is prepared for training rows in modality \"", a.names[m],
                             "\" changes with the values of other rows\n"
                             "  help: learn means, scales and categories from the training rows"));
  }
}

void check_answers(const Fitted& fitted, const data::Modalities& test, const Outcome& outcome, std::int64_t classes,
                   const std::string& method) {
  const auto width = at(classes);
  const auto rows = at(test.batch());
  if (outcome.probabilities.size() != rows * width)
    throw ConfigError(text("compare: ", method, " gives ", outcome.probabilities.size(), " probabilities for ", rows,
                           " rows of ", classes, " classes"));
  for (std::size_t i = 0; i < rows; ++i) {
    double sum = 0;
    for (std::size_t c = 0; c < width; ++c) sum += outcome.probabilities[i * width + c];
    if (!(std::abs(sum - 1) < 1e-3))
      throw ConfigError(text("compare: ", method, ": the probabilities of test row ", i + 1, " sum to ", sum));
  }
  // Float32 sums in another order; a statistic of the test rows shows far above that.
  constexpr double tolerance = 1e-3;
  for (const std::size_t i : {std::size_t{0}, rows / 2, rows - 1}) {
    const std::int64_t one[] = {static_cast<std::int64_t>(i)};
    const Outcome alone = fitted.predict(test.rows(one));
    for (std::size_t c = 0; c < width; ++c)
      if (!(std::abs(alone.probabilities[c] - outcome.probabilities[i * width + c]) < tolerance))
        throw ConfigError(text("compare: ", method, ": the answer for test row ", i + 1,
                               " is another when it is asked about alone: ", alone.probabilities[c], ", not ",
                               outcome.probabilities[i * width + c],
                               "\n  help: learn everything from the training rows, nothing from the rows asked about"));
  }
}

}  // namespace weft::study
