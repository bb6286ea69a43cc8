#include <weft/study/splitting.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/data/metrics.h>
#include <weft/study/leaks.h>

namespace weft::study {
namespace {

using Json = nlohmann::ordered_json;

/// Spans of time one after the other, each tested with all that was before it.
std::vector<data::Split> forward(const Dataset& dataset, std::int64_t count, double fraction) {
  const data::Split first = data::time_split(dataset.time, fraction);
  const auto when = [&](std::int64_t row) { return dataset.time[static_cast<std::size_t>(row)]; };
  std::vector<std::int64_t> late = first.test;
  std::ranges::stable_sort(late, {}, when);
  std::vector<data::Split> out;
  std::size_t from = 0;
  for (std::int64_t s = 0; s < count; ++s) {
    auto to = late.size() * static_cast<std::size_t>(s + 1) / static_cast<std::size_t>(count);
    // Rows of one moment stay on one side.
    while (to > from && to < late.size() && when(late[to]) == when(late[to - 1])) ++to;
    if (to <= from)
      throw ConfigError(text("split: ", late.size(),
                             " rows at the end, too many of them of one moment, do not part into ", count,
                             " spans\n  help: ask for fewer splits in [compare]"));
    data::Split split{
        first.train,
        {late.begin() + static_cast<std::ptrdiff_t>(from), late.begin() + static_cast<std::ptrdiff_t>(to)}};
    split.train.insert(split.train.end(), late.begin(), late.begin() + static_cast<std::ptrdiff_t>(from));
    std::ranges::sort(split.train);
    std::ranges::sort(split.test);
    out.push_back(std::move(split));
    from = to;
  }
  return out;
}

Json split_json(const data::Split& split) { return {{"train", split.train}, {"test", split.test}}; }

data::Split split_from(const Json& in, std::int64_t rows) {
  data::Split split{in.at("train").get<std::vector<std::int64_t>>(), in.at("test").get<std::vector<std::int64_t>>()};
  std::vector<char> seen(static_cast<std::size_t>(rows), 0);
  for (std::vector<std::int64_t>* part : {&split.train, &split.test}) {
    if (part->empty()) throw std::out_of_range("a part is empty");
    std::ranges::sort(*part);
    for (const std::int64_t i : *part) {
      if (i < 0 || i >= rows) throw std::out_of_range(text("row ", i, " of ", rows));
      if (seen[static_cast<std::size_t>(i)]++) throw std::out_of_range(text("row ", i, " is there twice"));
    }
  }
  return split;
}

}  // namespace

std::string Splits::to_json(const std::string& data_checksum) const {
  std::size_t rows = 0;
  Json parts = Json::array();
  for (std::size_t s = 0; s < drawn.size(); ++s) {
    parts.push_back(split_json(drawn[s]));
    if (!names.empty()) parts.back()["name"] = names[s];
    rows = std::max(rows, drawn[s].train.size() + drawn[s].test.size());
  }
  Json out{{"weft_splits", 1}, {"kind", kind}, {"data_checksum", data_checksum}, {"splits", std::move(parts)}};
  if (given) out["given"] = split_json(*given);
  return out.dump() + '\n';
}

std::vector<std::pair<std::string, const data::Split*>> Splits::named() const {
  std::vector<std::pair<std::string, const data::Split*>> out;
  for (std::size_t s = 0; s < drawn.size(); ++s)
    out.emplace_back(names.empty() ? text("split ", s + 1) : text("split \"", names[s], '"'), &drawn[s]);
  if (given) out.emplace_back("the split that comes with the data", &*given);
  return out;
}

Splits parse_splits(const std::string& json, const std::string& path, const Dataset& dataset) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("weft_splits"))
    throw FileError(text("splits: ", path, " is not a file of splits, or not all of it"));
  Splits out;
  try {
    if (in.at("data_checksum").get<std::string>() != checksum(dataset))
      throw ConfigError(text("splits: ", path,
                             " was written for other data than the study reads now\n"
                             "  help: give it the same files, modalities and rows, or draw new splits"));
    out.kind = in.at("kind").get<std::string>();
    for (const Json& one : in.at("splits")) {
      out.drawn.push_back(split_from(one, dataset.rows()));
      if (one.contains("name")) out.names.push_back(one["name"].get<std::string>());
    }
    if (in.contains("given")) out.given = split_from(in["given"], dataset.rows());
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("splits: ", path, " is damaged"));
  } catch (const std::out_of_range& e) {
    throw FileError(text("splits: ", path, " is damaged: ", e.what()));
  }
  if (out.drawn.empty() || (!out.names.empty() && out.names.size() != out.drawn.size()))
    throw FileError(text("splits: ", path, " is damaged"));
  return out;
}

std::vector<std::int64_t> together(const Study& study, const Dataset& dataset) {
  std::vector<std::int64_t> groups;
  if (dataset.group) groups = dataset.group->code;
  if (study.split.duplicates != "together") return groups;
  if (groups.empty()) {
    groups.resize(static_cast<std::size_t>(dataset.rows()));
    std::iota(groups.begin(), groups.end(), 0);
  }
  // Two groups that share a row become one; few rows are duplicates, so that renaming is quick enough.
  for (const auto& [a, b] : duplicate_rows(dataset)) {
    const std::int64_t from = groups[static_cast<std::size_t>(b)], to = groups[static_cast<std::size_t>(a)];
    if (from != to) std::ranges::replace(groups, from, to);
  }
  return groups;
}

Splits make_splits(const Study& study, const Dataset& dataset, std::int64_t count, std::uint64_t seed) {
  const Place& where = study.split.place;
  Splits out;
  if (study.split.kind == "file")
    return parse_splits(data::read_file("splits", study.split.file), study.split.file, dataset);
  out.kind = study.split.kind;
  out.given = dataset.fixed;
  const std::vector<std::int64_t> groups = together(study, dataset);
  Generator generator{seed, 0};
  if (out.kind == "site") {
    out.drawn = located(where, [&] { return data::leave_one_group_out(dataset.site->code); });
    std::vector<std::int64_t> codes = dataset.site->code;
    std::ranges::sort(codes);
    codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
    for (const std::int64_t code : codes) out.names.push_back(dataset.site->values[static_cast<std::size_t>(code)]);
  } else if (out.kind == "time") {
    out.drawn = located(where, [&] { return forward(dataset, count, study.compare.test); });
  } else if (!groups.empty()) {
    for (std::int64_t s = 0; s < count; ++s)
      out.drawn.push_back(
          located(where, [&] { return data::group_split(groups, study.compare.test, generator, dataset.labels); }));
  } else {
    out.drawn = data::stratified_splits(dataset.labels, static_cast<int>(count), study.compare.test, generator);
  }
  return out;
}

namespace {

std::vector<std::int64_t> count_classes(const Dataset& dataset, std::span<const std::int64_t> rows) {
  std::vector<std::int64_t> members(dataset.classes.size(), 0);
  for (const std::int64_t i : rows) ++members[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(i)])];
  return members;
}

std::string rows_of(std::int64_t n) { return text(n, n == 1 ? " row" : " rows"); }

std::vector<std::int64_t> members_of_classes(const Dataset& dataset) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(dataset.rows()));
  std::iota(all.begin(), all.end(), 0);
  return count_classes(dataset, all);
}

}  // namespace

void check_enough(const Study& study, const Dataset& dataset) {
  const std::size_t classes = dataset.classes.size();
  data::Predictions trial;
  trial.classes = dataset.class_count();
  for (std::size_t c = 0; c < classes; ++c) trial.labels.push_back(static_cast<std::int64_t>(c));
  trial.probabilities.assign(classes * classes, 1 / static_cast<double>(classes));
  located(study.compare.place, [&] { data::metric(study.compare.metric).compute(trial); });
  located(study.train.place, [&] { data::metric(study.train.metric).compute(trial); });

  const std::string where = study.target_place.str();
  const std::vector<std::int64_t> members = members_of_classes(dataset);
  for (std::size_t c = 0; c < classes; ++c)
    if (members[c] < 3)
      throw ConfigError(text(where, ": class \"", dataset.classes[c], "\" has ", rows_of(members[c]),
                             "; to train, to validate and to test takes 3\n  help: ",
                             classes > 10 ? "choose a target of few classes, if this one is a quantity"
                                          : "join rare classes, or leave their rows out"));
}

void check_splits(const Study& study, const Dataset& dataset, const Splits& splits) {
  const std::string where = study.target_place.str();
  const std::size_t classes = dataset.classes.size();
  const std::vector<std::int64_t> members = members_of_classes(dataset);
  if (splits.given) {
    const auto tested = count_classes(dataset, splits.given->test);
    if (std::ranges::count_if(tested, [](std::int64_t n) { return n > 0; }) < 2)
      throw ConfigError(text(study.data.place.str(), ": the split that comes with the data tests ",
                             rows_of(static_cast<std::int64_t>(splits.given->test.size())),
                             "; rows of two classes or more are needed"));
  }
  for (const auto& [name, part] : splits.named()) {
    const data::Split& split = *part;
    const std::vector<std::int64_t> trained = count_classes(dataset, split.train);
    for (std::size_t c = 0; c < classes; ++c) {
      if (study.train.folds > 1 && trained[c] < study.train.folds)
        throw ConfigError(text(study.train.place.str(), ": [train] wants ", study.train.folds, " folds, but class \"",
                               dataset.classes[c], "\" has ", rows_of(trained[c]), " to train on"));
      if (trained[c] < 2)
        throw ConfigError(
            text(where, ": of the ", rows_of(members[c]), " of class \"", dataset.classes[c], "\", ", trained[c],
                 " would be to train on", splits.kind == "stratified" ? "" : text(" in ", name),
                 "; to train and to validate takes 2\n  help: ",
                 splits.kind == "stratified" ? "lower test in [compare]"
                                             : "leave its rows out by leave_out in [study], or join it to another"));
    }
    data::Predictions some;
    some.classes = dataset.class_count();
    for (const std::int64_t i : split.test) some.labels.push_back(dataset.labels[static_cast<std::size_t>(i)]);
    some.probabilities.assign(some.labels.size() * classes, 1 / static_cast<double>(classes));
    try {
      data::metric(study.compare.metric).compute(some);
    } catch (const ConfigError& e) {
      throw ConfigError(text(study.compare.place.str(), ": ", name, ": ", e.what(),
                             "\n  help: choose a metric that does without, say balanced_accuracy or log_loss"));
    }
  }
}

}  // namespace weft::study
