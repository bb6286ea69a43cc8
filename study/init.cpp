#include <weft/study/init.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/show/terminal.h>
#include <weft/study/commands.h>
#include <weft/study/dataset.h>
#include <weft/study/init_parts.h>
#include <weft/study/leaks.h>
#include <weft/study/splitting.h>
#include <weft/study/toml_text.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

struct Group {
  std::string name;
  Strings patterns;  ///< empty: the rest
  Strings columns;
};

/// What stands before the first separator, or behind the last one.
std::string part_of(const std::string& name, bool last) {
  const std::size_t at = last ? name.find_last_of("_. -/:") : name.find_first_of("_. -/:");
  if (at == name.npos || at == 0 || at + 1 == name.size()) return "";
  const std::string part = last ? name.substr(at) : name.substr(0, at + 1);
  // Figures alone are no kind of evidence.
  const auto letters = std::ranges::count_if(part, [](unsigned char c) { return std::isalpha(c) || c >= 0x80; });
  return letters >= 2 ? part : "";
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> words) {
  std::string low = name;
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::any_of(words, [&](const char* word) { return low == word; });
}

/// Columns as modalities: those that share what stands before a separator (three or more), or behind one, that are
/// missing in the same rows, or tell about the person; and the rest.
std::vector<Group> group_columns(const Strings& names, const data::Table& table, bool named) {
  std::vector<Group> groups;
  Strings left = names;
  for (const bool last : {false, true}) {
    if (!named) break;  // column_1, column_2 ... share nothing but our word
    std::map<std::string, Strings> sharing;
    for (const std::string& name : left)
      if (const std::string part = part_of(name, last); !part.empty()) sharing[part].push_back(name);
    for (auto& [part, columns] : sharing) {
      // A pattern may take more than was meant: letters of it stand for any in patterns.
      if (columns.size() < 3 || part.find_first_of("*?!") != part.npos) continue;
      std::string name = last ? part.substr(1) : part.substr(0, part.size() - 1);
      if (std::ranges::any_of(groups, [&](const Group& g) { return g.name == name; })) continue;
      const std::string pattern = last ? '*' + part : part + '*';
      const auto taken = [&](const std::string& one) { return std::ranges::find(left, one) == left.end(); };
      if (std::ranges::any_of(names, [&](const std::string& one) { return taken(one) && matches(pattern, one); }))
        continue;
      for (const std::string& one : columns) std::erase(left, one);
      groups.push_back({std::move(name), {pattern}, std::move(columns)});
    }
  }
  // What is missing in the same rows was measured together.
  std::map<std::vector<std::int64_t>, Strings> gaps;
  for (const std::string& name : left) {
    std::vector<std::int64_t> rows;
    const data::Column& column = table.at(name);
    for (std::int64_t i = 0; i < column.size(); ++i)
      if (column.missing(i)) rows.push_back(i);
    if (rows.size() >= 5 && name.find_first_of("*?!") == name.npos) gaps[rows].push_back(name);
  }
  for (auto& [rows, columns] : gaps) {
    if (columns.size() < 2 || columns.size() == names.size()) continue;
    for (const std::string& one : columns) std::erase(left, one);
    const std::string others = columns.size() == 2 ? columns[1] : text(columns.size() - 1, " more");
    groups.push_back({text(columns[0], " and ", others), columns, columns});
  }
  Group person{"person", {}, {}};
  for (const std::string& name : left)
    if (is_one_of(name,
                  {"age", "sex", "gender", "male", "female", "is_female", "is_male", "race", "ethnicity", "height",
                   "weight", "bmi", "education", "smoker", "smoking", "years_to_birth", "marital_status"}))
      person.columns.push_back(name);
  if (!person.columns.empty() && person.columns.size() < left.size() + groups.size() &&
      std::ranges::none_of(groups, [](const Group& g) { return g.name == "person"; })) {
    for (const std::string& one : person.columns) std::erase(left, one);
    person.patterns = person.columns;
    groups.push_back(std::move(person));
  }
  if (!left.empty()) groups.push_back({groups.empty() ? "all columns" : "rest", {}, std::move(left)});
  return groups;
}

/// The class that a probability should be about: what its name says, else the rarer one.
std::pair<std::string, const char*> positive_of(const std::vector<std::pair<std::string, std::int64_t>>& classes) {
  for (const auto& [name, count] : classes)
    if (is_one_of(name, {"1", "yes", "y", "true", "positive", "pos", "malignant", "impaired", "diseased", "disease",
                         "sick", "case", "cases", "dead", "died", "abnormal", "ill", "fraud"}))
      return {name, "its name"};
  return {classes.back().first, "the rarer one"};
}

/// The columns of one role, with what to say about them.
Strings of_role(const std::vector<ColumnFacts>& columns, Role role) {
  Strings names;
  for (const ColumnFacts& f : columns)
    if (f.role == role) names.push_back(f.name);
  return names;
}

/// Numbers that may be codes: few whole values.
bool may_be_code(const ColumnFacts& f) { return f.whole && f.distinct >= 3 && f.distinct <= 8; }

std::string padded(std::string s, std::size_t width) {
  for (std::size_t i = show::display_width(s); i < width; ++i) s += ' ';
  return s;
}

class CsvDraft {
 public:
  CsvDraft(const InitOptions& options, const std::string& path) : options_(options), path_(path) {
    form_ = csv_form(table_bytes("init", options.data));
    table_ = read_table(form_.data, options.data);
    located({options.data, 0}, [&] { columns_ = columns_of(table_, options.target); });
    const auto target = std::ranges::find(columns_, Role::target, &ColumnFacts::role);
    if (target == columns_.end())
      throw ConfigError(text("init: no column of ", options.data,
                             " looks like a class: few values, each in several rows\n"
                             "  help: name the column to predict with --target"));
    target_ = &*target;
    count_classes();
  }

  Draft draft() {
    write();
    // The study's own reading tells which rows are the same, and what the given split parts.
    const Study study = parse_study(draft_.source, path_);
    const Dataset dataset = load_dataset(study);
    const DuplicateRows alike = duplicate_rows(dataset);
    duplicates_ = !alike.empty();
    try {
      if (dataset.fixed) check_split(study, dataset, *dataset.fixed, "the split", alike);
    } catch (const ConfigError&) {
      given_split_ = false;
    }
    if (duplicates_ || !given_split_) write();
    return draft_;
  }

 private:
  void count_classes() {
    if (!target_->categorical && !target_->whole)
      throw ConfigError(text("init: \"", target_->name, "\" of ", options_.data, " is a quantity with ",
                             target_->distinct,
                             " values, not a class\n  help: add a column that says what should be told apart, such as "
                             "above or below a limit, and name it with --target"));
    const data::Column& column = table_.at(target_->name);
    std::map<std::string, std::int64_t> counts;
    const data::Column named = column.categorical ? column : as_names(column);
    for (const std::int64_t code : named.codes)
      if (code >= 0) ++counts[named.levels[static_cast<std::size_t>(code)]];
    // Too few rows to train, validate and test on.
    for (const auto& [name, count] : counts)
      if (count < 5)
        rare_.push_back(name);
      else
        classes_.emplace_back(name, count);
    if (classes_.size() < 2 || classes_.size() > 100 || rare_.size() > 3 * classes_.size() + 3)
      throw ConfigError(text("init: \"", target_->name, "\" of ", options_.data, " has ", counts.size(),
                             " different values, ", classes_.size(),
                             " of them in 5 rows or more: no class\n  help: name "
                             "the column to predict with --target"));
    std::ranges::stable_sort(classes_, std::ranges::greater(), &std::pair<std::string, std::int64_t>::second);
  }

  static data::Column as_names(const data::Column& column) {
    Strings values;
    for (const double v : column.numbers) values.push_back(std::isnan(v) ? "" : text(static_cast<std::int64_t>(v)));
    return data::Column::of_text(column.name, values);
  }

  void guess(const std::string& what, const std::string& where, const std::string& why) {
    draft_.guesses.push_back({what, where, why});
  }

  void write() {
    draft_ = {};
    used_ = 0;
    std::string& out = draft_.source;
    const std::string name = study_name(options_.data);
    out += text("# Drafted by weft init from ", fs::path(options_.data).filename().string(), " (", table_.rows(),
                " rows, ", columns_.size(),
                " columns).\n# All of it is guessed from names and values: read it before you trust it. ",
                "docs/studies.md lists what else may be said.\n\n");
    head(name);
    data(out);
    splitting();
    modalities();
    out += training_text(table_.rows(), used_, classes_.size()) + comparing_text(table_.rows(), subgroups());
  }

  void head(const std::string& name) {
    std::string& out = draft_.source;
    out += text("[study]\nname = ", toml(name), "\ntarget = ", toml(target_->name), "  # ", target_->why, ": ");
    std::string values;
    for (std::size_t i = 0; i < classes_.size() && i < 8; ++i)
      values += text(i ? ", " : "", one_line(classes_[i].first), " (", classes_[i].second, " rows)");
    out += values + (classes_.size() > 8 ? ", ...\n" : "\n");
    guess("target", target_->name, target_->why + ": " + values);
    if (!form_.class_names.empty() && form_.class_names.size() == classes_.size() && !target_->categorical) {
      out += "classes = { ";
      for (std::size_t i = 0; i < form_.class_names.size(); ++i)
        out += text(i ? ", " : "", i, " = ", toml(form_.class_names[i]));
      out += " }  # named in the file's first line\n";
    } else if (classes_.size() == 2) {
      const auto [positive, why] = positive_of(classes_);
      out += "positive = " + toml(positive) + "  # the class that a probability is about\n";
      guess("positive class", positive, why);
    }
    Strings left_out = rare_;
    if (target_->missing > 0) left_out.emplace_back();
    if (left_out.empty()) return;
    out += text("leave_out = ", toml(left_out), "  # rows without a target, or of a class too rare to learn\n");
    guess("left out", text(left_out.size(), left_out.size() == 1 ? " value" : " values", " of the target"),
          "missing, or in fewer than 5 rows");
  }

  static std::string one_line(std::string s) {
    std::ranges::replace_if(
        s, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return s;
  }

  void data(std::string& out) {
    out += "\n[data]\nfile = " + toml(path_from(path_, options_.data)) + "\n";
    const DataConfig& form = form_.data;
    const auto form_line = [&](const std::string& line, const std::string& what) {
      out += line + '\n';
      guess("format", what, "by the look of the lines");
    };
    if (form.separator != ',')
      form_line("separator = " + toml(std::string(1, form.separator)),
                form.separator == '\t' ? "tabs between fields" : text("\"", form.separator, "\" between fields"));
    if (form.decimal != '.') form_line("decimal = \",\"", "decimal commas");
    if (form.skip_lines > 0) form_line(text("skip_lines = ", form.skip_lines), "lines above the table");
    if (!form.header) form_line("header = false  # columns are called column_1, column_2 ...", "no header");
    if (!form_.marks.empty()) {
      out += "missing = " + toml(form.missing) + "\n";
      std::string marks;
      for (const std::string& mark : form_.marks) marks += (marks.empty() ? "" : ", ") + mark;
      guess("missing values", marks, "beside numbers, or a number that no measurement gives");
    }
    if (const Strings split = of_role(columns_, Role::split); !split.empty() && given_split_) {
      out += "split_column = " + toml(split.front()) + "  # a split that comes with the data\n";
      guess("given split", split.front(), "holds train and test");
    }
    exclude(out);
  }

  /// Columns that nobody may use, each reason on a line of its own.
  void exclude(std::string& out) {
    const std::vector<std::pair<Role, const char*>> reasons = {
        {Role::identity, "another value in each row: an identity"},
        {Role::group, "one more number of patients or the like: only one can group the splits"},
        {Role::split, given_split_ ? "one more split" : "a split with the same patient, or equal rows, on both sides"},
        {Role::fold, "a fold of an earlier cross-validation"},
        {Role::site, "where a row comes from: see [split]"},
        {Role::date, "dates: give spans of time as numbers, in a column of their own"},
        {Role::follow_up, "known with the outcome, not before it: see follow_up and horizon in docs/studies.md"},
        {Role::constant, "the same in every row"},
        {Role::words, "text: weft compare takes numbers and categories"},
        {Role::telling, "says the class without an error: made from it, or the result of it"},
    };
    std::string list;
    for (const auto& [role, why] : reasons) {
      Strings names = of_role(columns_, role);
      if (role == Role::split && given_split_) names.erase(names.begin(), names.begin() + (names.empty() ? 0 : 1));
      if (role == Role::group) names.erase(names.begin(), names.begin() + (names.empty() ? 0 : 1));
      if (names.empty()) continue;
      std::string shown;
      for (std::size_t i = 0; i < names.size(); ++i)
        shown += i < 5 ? (i ? ", " : "") + names[i] : i == 5 ? text(" and ", names.size() - 5, " more") : "";
      for (const ColumnFacts& f : columns_)
        if (f.role == role && names.size() == 1) guess(text("left aside (", name_of(role), ")"), f.name, f.why);
      if (names.size() > 1) guess(text("left aside (", name_of(role), ")"), shown, why);
      list += text("  # ", why, '\n');
      for (const std::string& each : names) list += "  " + toml(each) + ",\n";
    }
    if (!list.empty()) out += "exclude = [\n" + list + "]\n";
  }

  void splitting() {
    const Strings group = of_role(columns_, Role::group), site = of_role(columns_, Role::site);
    if (group.empty() && site.empty() && !duplicates_) return;
    std::string& out = draft_.source;
    out += "\n[split]\n";
    if (!group.empty()) {
      out += "group = " + toml(group.front()) + "  # rows that share it are never parted\n";
      const auto f = std::ranges::find(columns_, group.front(), &ColumnFacts::name);
      guess("splits grouped by", group.front(), f->why);
    }
    if (!site.empty()) out += "# site = " + toml(site.front()) + "  # each once the part that nobody has seen\n";
    if (duplicates_) {
      out += "duplicates = \"together\"  # some rows are the same in everything\n";
      guess("equal rows", "kept together", "some rows are the same in everything");
    }
  }

  Strings subgroups() const {
    Strings out;
    for (const ColumnFacts& f : columns_)
      if (f.missing == 0 && f.distinct <= 10 && f.distinct > 1 &&
          (f.role == Role::site || (f.role == Role::evidence && is_one_of(f.name, {"sex", "gender"}))))
        out.push_back(f.name);
    return out;
  }

  void modalities() {
    const Strings evidence = of_role(columns_, Role::evidence);
    if (evidence.empty())
      throw ConfigError(text("init: no column of ", options_.data,
                             " is left to learn from\n  help: see what each seems to "
                             "be with weft inspect"));
    const std::vector<Group> groups = group_columns(evidence, table_, form_.data.header);
    std::string& out = draft_.source;
    out += "\n# A modality is what one examination yields, and what a row may lack as a whole.\n";
    for (const Group& group : groups) {
      used_ += static_cast<std::int64_t>(group.columns.size());
      out += "\n[[modality]]\nname = " + toml(group.name) + "\n";
      if (group.patterns.empty()) {
        out += "rest = true  # ";
        for (std::size_t i = 0; i < group.columns.size() && i < 6; ++i)
          out += text(i ? ", " : "", one_line(group.columns[i]));
        out += group.columns.size() > 6 ? text(" and ", group.columns.size() - 6, " more\n") : "\n";
      } else {
        out += "columns = " + toml(group.patterns) + "\n";
        const auto meets_target = [&](const std::string& pattern) { return matches(pattern, target_->name); };
        if (std::ranges::any_of(group.patterns, meets_target))
          out += "exclude = " + toml(Strings{target_->name}) + "\n";
      }
      Strings codes;
      for (const ColumnFacts& f : columns_)
        if (std::ranges::find(group.columns, f.name) != group.columns.end() && may_be_code(f)) codes.push_back(f.name);
      if (codes.size() > 10) codes.clear();  // counts of something
      if (!codes.empty())
        out += "# categorical = " + comment_list(codes) + "  # if these few whole numbers are codes\n";
      guess("modality", group.name,
            text(group.columns.size(), group.columns.size() == 1 ? " column" : " columns",
                 group.patterns.size() == 1 && group.columns.size() > 1 ? text(" like ", group.patterns.front()) : ""));
    }
    if (groups.size() == 1) {
      out +=
          "\n# One modality alone: nothing is fused. Part the columns, as in\n# [[modality]]\n# name = \"blood\"\n# "
          "columns = "
          "[\"blood_*\", \"age\"]\n";
      draft_.warnings.push_back(
          "all columns are one modality, so that there is nothing to fuse: part them in the file");
    }
  }

  static std::string comment_list(const Strings& names) {
    std::string out = toml(names);
    for (std::size_t at = 0; (at = out.find('\n', at)) != out.npos; at += 2) out.replace(at, 1, "\n#");
    return out;
  }

  const InitOptions& options_;
  const std::string& path_;
  CsvForm form_;
  data::Table table_;
  std::vector<ColumnFacts> columns_;
  const ColumnFacts* target_ = nullptr;
  std::vector<std::pair<std::string, std::int64_t>> classes_;  ///< and their rows, the most frequent first
  Strings rare_;
  std::int64_t used_ = 0;
  bool duplicates_ = false, given_split_ = true;
  Draft draft_;
};

}  // namespace

std::string study_name(const std::string& data) {
  fs::path path = fs::path(data).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  std::string name = path.filename().string();
  for (const char* end : {".gz", ".csv", ".tsv", ".txt"})
    if (name.ends_with(end)) name.erase(name.size() - std::string_view(end).size());
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '-';
  return name.empty() || name.find_first_not_of("-.") == name.npos ? "study" : name;
}

std::string path_from(const std::string& study_file, const std::string& to) {
  const fs::path folder = fs::absolute(study_file).parent_path().lexically_normal();
  return fs::absolute(to).lexically_normal().lexically_proximate(folder).string();
}

std::string training_text(std::int64_t rows, std::int64_t columns, std::size_t classes) {
  const bool small = rows < 500;
  std::string out;
  out += "\n# Of each modality, unless it has one of its own.\n[encoder]\n";
  if (columns > rows)
    out += "type = \"linear\"                # more columns than rows: no hidden layer\n";
  else
    out += text("type = \"mlp\"\nhidden = [", small ? 16 : 32, "]\ndropout = 0.2\n");
  out += text(
      "\n# What `weft train` keeps; `weft compare` looks at those under [compare].\n[fusion]\nname = \"gate\"\nwidth "
      "= ",
      small ? 16 : 32, "\n\n[train]\nlr = 0.003\nepochs = ", rows > 20000 ? 20 : 60, "\nbatch = ",
      rows > 20000  ? 512
      : rows > 3000 ? 128
                    : 32,
      "\npatience = 15                  # epochs without a better validation score\nseed = 0\n");
  if (classes > 2) out += "label_smoothing = 0.05\n";
  return out;
}

std::string comparing_text(std::int64_t rows, const Strings& subgroups) {
  std::string out =
      "\n[compare]\nfusions = [\"concat\", \"late\", \"gate\", \"attention\"]  # leave out: all there are\n";
  out += text("splits = ", rows > 5000 ? 3 : 10, "\ntest = 0.3\nmetric = \"roc_auc\"\n");
  if (!subgroups.empty()) out += "subgroups = " + toml(subgroups) + "\n";
  return out;
}

Draft draft_study(const InitOptions& options, const std::string& path) {
  std::error_code ignored;
  Draft draft = fs::is_directory(options.data, ignored) ? draft_folder(options, path) : CsvDraft(options, path).draft();
  // What a comparison would refuse is better said now.
  try {
    const Study study = parse_study(draft.source, path);
    const Dataset dataset = load_dataset(study);
    check_enough(study, dataset);
    const Splits splits = make_splits(study, dataset, study.compare.splits, study.train.seed);
    check_splits(study, dataset, splits);
    check_leaks(study, dataset, splits);
  } catch (const Error& e) {
    draft.warnings.push_back(text("weft compare will say: ", e.what()));
  }
  return draft;
}

void run_init(const InitOptions& options) {
  const std::string path = options.out.empty() ? study_name(options.data) + ".toml" : options.out;
  std::error_code ignored;
  if (!options.force && fs::exists(path, ignored))
    throw ConfigError(text("init: ", path,
                           " is there already\n  help: name another file with --out, or replace it with "
                           "--force"));
  const Draft draft = draft_study(options, path);
  data::write_file("init", path, draft.source);
  if (options.json) {
    nlohmann::ordered_json out{{"study", path}};
    out["guesses"] = nlohmann::ordered_json::array();
    for (const Guess& g : draft.guesses)
      out["guesses"].push_back({{"what", g.what}, {"where", g.where}, {"why", g.why}});
    out["warnings"] = draft.warnings;
    print(out.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
    return;
  }
  if (options.quiet) return;
  const show::Style style = show::Style::of(stdout);
  std::string out;
  std::size_t width = 0;
  for (const Guess& g : draft.guesses) width = std::max(width, show::display_width(g.what));
  for (const Guess& g : draft.guesses)
    out += text(padded(g.what, width + 2), style.bold(g.where), "  ", style.dim(g.why), '\n');
  for (const std::string& w : draft.warnings) out += "\n" + style.red("look:") + " " + w + "\n";
  out += text("\nstudy: ", path, "\nnext:  weft compare ", path, '\n');
  print(out);
}

}  // namespace weft::study
