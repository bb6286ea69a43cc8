#include <weft/study/columns.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <weft/study/leaks.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

using Strings = std::vector<std::string>;

/// A name as its words: "Patient_ID" and "patientId" are {"patient", "id"}.
Strings words_of(const std::string& name) {
  Strings words(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool upper = c >= 'A' && c <= 'Z', letter = upper || (c >= 'a' && c <= 'z') || (c & 0x80) != 0;
    const bool digit = c >= '0' && c <= '9';
    const bool hump = upper && i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if ((!letter && !digit) || hump) words.emplace_back();
    if (letter || digit) words.back() += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  std::erase(words, "");
  return words;
}

bool has_word(const Strings& words, const Strings& any) {
  return std::ranges::any_of(words, [&](const std::string& w) { return std::ranges::find(any, w) != any.end(); });
}

bool digits(std::string_view s) { return !s.empty() && s.find_first_not_of("0123456789") == s.npos; }

/// 2024-01-31, 31.1.2024, 1/31/24, any of them with a time behind, and times of day.
bool is_date(std::string_view s) {
  const auto part = [&s](char mark, std::size_t least, std::size_t most) {
    const std::size_t at = mark == '\0' ? s.find_first_of(" T") : s.find(mark);
    const std::string_view head = s.substr(0, at);
    if (!digits(head) || head.size() < least || head.size() > most) return false;
    s.remove_prefix(at == s.npos ? s.size() : at + 1);
    return true;
  };
  const std::string_view whole = s;
  for (const char mark : {'-', '/', '.'}) {
    s = whole;
    if (part(mark, 4, 4) && part(mark, 1, 2) && part('\0', 1, 2)) return true;
    s = whole;
    if (part(mark, 1, 2) && part(mark, 1, 2) && part('\0', 2, 4)) return true;
  }
  s = whole;
  return part(':', 1, 2) && part(':', 2, 2) && s.size() >= 2;
}

std::string plain(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

ColumnFacts facts_of(const data::Column& column) {
  ColumnFacts facts;
  facts.name = column.name;
  facts.categorical = column.categorical;
  facts.rows = column.size();
  std::map<std::string, std::int64_t> values;
  std::map<double, std::int64_t> numbers;
  facts.whole = !column.categorical;
  double sum = 0;
  for (std::int64_t i = 0; i < column.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (column.missing(i)) {
      ++facts.missing;
    } else if (column.categorical) {
      ++values[column.levels[static_cast<std::size_t>(column.codes[at])]];
    } else {
      ++numbers[column.numbers[at]];
      sum += column.numbers[at];
      facts.whole = facts.whole && column.numbers[at] == std::floor(column.numbers[at]);
    }
  }
  facts.distinct = static_cast<std::int64_t>(column.categorical ? values.size() : numbers.size());
  const std::int64_t known = facts.rows - facts.missing;
  if (!numbers.empty()) {
    facts.least = numbers.begin()->first;
    facts.largest = numbers.rbegin()->first;
    facts.mean = sum / static_cast<double>(known);
  }
  std::vector<std::pair<std::string, std::int64_t>> all(values.begin(), values.end());
  if (numbers.size() <= 1000)
    for (const auto& [value, count] : numbers) all.emplace_back(plain(value), count);
  std::ranges::stable_sort(all, std::ranges::greater(), &std::pair<std::string, std::int64_t>::second);
  all.resize(std::min<std::size_t>(all.size(), 8));
  facts.commonest = std::move(all);
  return facts;
}

/// Numbers that run on by one.
bool counts_rows(const data::Column& column) {
  if (column.categorical || column.size() < 3) return false;
  for (std::size_t i = 1; i < column.numbers.size(); ++i)
    if (column.numbers[i] != column.numbers[i - 1] + 1) return false;
  return true;
}

const Strings identity_words = {"id", "ids", "uid", "uuid", "guid", "mrn", "identifier", "barcode"};
const Strings number_words = {"index", "number", "no", "nr", "key", "name", "code"};
const Strings person_words = {"patient",    "subject", "person", "participant", "case",   "lesion",
                              "individual", "donor",   "client", "user",        "family", "animal"};
const Strings site_words = {"site",        "hospital", "center", "centre", "clinic",
                            "institution", "ward",     "cohort", "scanner"};
const Strings target_words = {"target",  "label",  "class",   "outcome",  "diagnosis", "y",
                              "disease", "dx",     "species", "survived", "response",  "sick",
                              "status",  "result", "churn",   "fraud",    "event"};

/// "patient", "patient_id", "lesion no", "id"; not "patient_age" or "number_of_visits".
bool names_somebody(const Strings& words) {
  if (words.empty()) return false;
  const Strings last = {words.back()};
  if (has_word(last, identity_words)) return true;
  if (words.size() == 1) return has_word(last, person_words);
  return has_word(last, number_words) && has_word(words, person_words);
}

/// Whether classes of this column could be learned: few values, each more than twice there.
bool may_be_target(const ColumnFacts& f) {
  const std::int64_t known = f.rows - f.missing;
  if (f.distinct < 2 || f.distinct > 50 || f.distinct * 3 > known) return false;
  return f.categorical || f.whole;
}

/// The column with the most telling name; else the last one, or the first.
void guess_target(std::vector<ColumnFacts>& columns) {
  ColumnFacts* found = nullptr;
  for (const std::string& word : target_words) {
    for (ColumnFacts& f : columns)
      if (!found && f.role == Role::evidence && may_be_target(f) && has_word(words_of(f.name), {word})) found = &f;
    if (found) break;
  }
  if (found) {
    found->why = "its name, and few different values";
  } else {
    std::vector<ColumnFacts*> ends;
    for (ColumnFacts& f : columns)
      if (f.role == Role::evidence) ends.push_back(&f);
    for (ColumnFacts* f : ends.empty() ? ends : std::vector<ColumnFacts*>{ends.back(), ends.front()})
      if (!found && may_be_target(*f) && f->distinct <= 20) {
        found = f;
        f->why = text("the ", f == ends.back() ? "last" : "first", " column, with few different values");
      }
  }
  if (found) found->role = Role::target;
}

void set(ColumnFacts& f, Role role, std::string why) {
  f.role = role;
  f.why = std::move(why);
}

void guess_role(ColumnFacts& f, const data::Column& column) {
  const Strings words = words_of(f.name);
  const std::int64_t known = f.rows - f.missing;
  const bool unique = f.distinct == known && known > 2;
  const bool somebody = names_somebody(words);
  if (f.distinct == 0) return set(f, Role::constant, "always missing");
  if (f.distinct == 1 && f.missing == 0) return set(f, Role::constant, "one value in all rows");
  if (f.categorical && has_word(words, {"split", "set", "partition", "subset", "fold"})) {
    const bool only =
        std::ranges::all_of(column.levels, [](const std::string& l) { return l == "train" || l == "test"; });
    if (only && f.missing == 0 && f.distinct == 2) return set(f, Role::split, "holds train and test");
  }
  if (f.whole && f.distinct <= 20 && std::ranges::any_of(words, [](const std::string& w) {
        return w.starts_with("fold") && w.find_first_not_of("0123456789", 4) == w.npos;
      }))
    return set(f, Role::fold, "its name");
  if (counts_rows(column)) return set(f, Role::identity, "counts the rows");
  if (unique && (somebody || (words.size() == 1 && has_word(words, number_words))) && (f.categorical || f.whole))
    return set(f, Role::identity, "another value in each row");
  if (f.categorical) {
    const auto dates = std::ranges::count_if(column.levels, is_date);
    if (dates * 10 >= f.distinct * 9) return set(f, Role::date, "dates or times");
  } else if (f.least > 1e8 && has_word(words, {"time", "date", "timestamp"})) {
    return set(f, Role::date, "seconds since 1970, by name and size");
  }
  if (somebody && (f.categorical || f.whole) && f.distinct > 10 && f.missing == 0)
    return set(f, Role::group, text(f.distinct, " values in ", f.rows, " rows, by its name a patient's or the like"));
  if (has_word(words, site_words) && f.distinct <= 50 && f.distinct > 1 && (f.categorical || f.whole))
    return set(f, Role::site, "its name");
  if (f.categorical && f.distinct > 30 && f.distinct * 10 > known)
    return set(f, Role::words, text("text with ", f.distinct, " different values"));
}

}  // namespace

const char* name_of(Role role) noexcept {
  constexpr const char* names[] = {"evidence", "target", "split",     "id",       "group", "site",
                                   "fold",     "date",   "follow-up", "constant", "text",  "tells class"};
  return names[static_cast<int>(role)];
}

std::vector<ColumnFacts> columns_of(const data::Table& table, const std::string& target) {
  std::vector<ColumnFacts> columns;
  for (const data::Column& column : table.columns) {
    columns.push_back(facts_of(column));
    if (column.name != target) guess_role(columns.back(), column);
  }
  if (target.empty()) {
    guess_target(columns);
  } else {
    table.at(target);
    set(*std::ranges::find(columns, target, &ColumnFacts::name), Role::target, "given");
  }
  const auto chosen = std::ranges::find(columns, Role::target, &ColumnFacts::role);
  if (chosen == columns.end()) return columns;

  // How long somebody was observed is known with the outcome, not before it.
  if (has_word(words_of(chosen->name), {"event", "status", "death", "died", "deceased", "vital", "os", "dss"}))
    for (ColumnFacts& f : columns)
      if (f.role == Role::evidence && !f.categorical &&
          has_word(words_of(f.name), {"months", "days", "survival", "followup", "time", "duration"}))
        set(f, Role::follow_up, "by its name the time until the event or the end of observation");
  const data::Column& labels = table.at(chosen->name);
  std::map<std::string, std::int64_t> codes;
  std::vector<std::int64_t> rows, label;
  for (std::int64_t i = 0; i < table.rows(); ++i) {
    if (labels.missing(i)) continue;
    const auto at = static_cast<std::size_t>(i);
    const std::string value =
        labels.categorical ? labels.levels[static_cast<std::size_t>(labels.codes[at])] : plain(labels.numbers[at]);
    rows.push_back(i);
    label.push_back(codes.emplace(value, static_cast<std::int64_t>(codes.size())).first->second);
  }
  const data::Table labelled = table.take(rows);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    if (columns[j].role != Role::evidence) continue;
    const std::string how = telling(labelled.columns[j], label);
    if (!how.empty()) set(columns[j], Role::telling, how);
  }
  return columns;
}

}  // namespace weft::study
