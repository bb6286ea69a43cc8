#include <algorithm>
#include <filesystem>
#include <map>

#include <weft/data/npy.h>
#include <weft/study/dataset.h>
#include <weft/study/init_parts.h>
#include <weft/study/leaks.h>
#include <weft/study/toml_text.h>
#include <weft/tensor/create.h>

namespace weft::study {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

/// One array, or a pair to train and to test on.
struct Array {
  std::string name;  ///< without _train, _test and .npy
  Strings files;
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> shape;  ///< of a row
  std::int64_t width = 1;
};

bool named(const std::string& name, std::initializer_list<const char*> words) {
  return std::ranges::any_of(
      words, [&](const std::string& w) { return name == w || name.starts_with(w + '_') || name.ends_with('_' + w); });
}

/// All arrays, in the order of their names; "_train" before "_test".
std::vector<Array> arrays_of(const std::string& folder) {
  std::map<std::string, std::map<int, std::string>> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(".npy") || !entry.is_regular_file()) continue;
    std::string stem = file.substr(0, file.size() - 4);
    int part = 0;
    for (const auto& [end, number] : {std::pair{"train", 1}, {"test", 2}})
      if (stem.ends_with(std::string("_") + end)) {
        stem.resize(stem.size() - std::string(end).size() - 1);
        part = number;
      }
    names[stem][part] = file;
  }
  std::vector<Array> arrays;
  for (const auto& [stem, parts] : names) {
    Array a{stem, {}, {}, {}};
    // A file without its other half is an array of its own.
    const bool pair = parts.contains(1) && parts.contains(2);
    for (const auto& [part, file] : parts) {
      if (pair != (part != 0)) continue;
      const Tensor x = data::load_npy((fs::path(folder) / file).string());
      if (x.dim() == 0 || x.numel() == 0) continue;
      a.files.push_back(file);
      a.rows.push_back(x.size(0));
      a.shape.assign(x.shape().begin() + 1, x.shape().end());
      a.width = x.numel() / x.size(0);
    }
    if (!a.files.empty()) arrays.push_back(std::move(a));
  }
  return arrays;
}

/// How many rows each class has; empty where the values are no classes.
std::map<std::int64_t, std::int64_t> classes_in(const std::string& folder, const Array& a) {
  std::map<std::int64_t, std::int64_t> counts;
  if (a.width != 1) return {};
  std::int64_t rows = 0;
  for (const std::string& file : a.files)
    for (const double v : to_vector<double>(data::load_npy((fs::path(folder) / file).string()))) {
      if (v != static_cast<double>(static_cast<std::int64_t>(v)) || counts.size() > 100) return {};
      ++counts[static_cast<std::int64_t>(v)];
      ++rows;
    }
  const bool few = counts.size() >= 2 && static_cast<std::int64_t>(counts.size()) * 3 <= rows;
  return few ? counts : std::map<std::int64_t, std::int64_t>();
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out;
  for (const std::int64_t n : shape) out += text(out.empty() ? "" : ", ", n);
  return "[" + out + "]";
}

/// Rows of two and three axes: pictures where both sides are long, signals of some channels otherwise.
std::string encoder_of(const Array& a) {
  if (a.shape.size() == 2 && a.shape[0] * 4 > a.shape[1] && a.shape[1] >= 8)
    return "{ type = \"cnn\", hidden = [16, 32, 32], norm = \"batch\", shape = " + shape_text(a.shape) + " }";
  if (a.shape.size() == 2)
    return "{ type = \"cnn1d\", hidden = [16, 32, 32], norm = \"batch\", shape = " + shape_text(a.shape) + " }";
  if (a.shape.size() == 3 && a.shape[0] <= 16 && a.shape[1] >= 8 && a.shape[2] >= 8)
    return "{ type = \"cnn\", hidden = [16, 32, 32], norm = \"batch\", shape = " + shape_text(a.shape) + " }";
  return "";
}

std::string file_lines(const Array& a) {
  return a.files.size() == 1 ? "file = " + toml(a.files[0]) + "\n" : "files = " + toml(a.files) + "\n";
}

/// Rows that are the same in everything: `end` is what follows the modalities.
void keep_equal_rows(Draft& draft, const std::string& path, const std::string& end) {
  const Study study = parse_study(draft.source + end, path);
  const Dataset dataset = load_dataset(study);
  const DuplicateRows alike = duplicate_rows(dataset);
  if (alike.empty()) return;
  std::string line = "duplicates = \"together\"  # some rows are the same in everything\n";
  try {
    if (dataset.fixed) check_split(study, dataset, *dataset.fixed, "the split", alike);
  } catch (const ConfigError&) {
    line = "duplicates = \"allow\"  # the given split has equal rows on both sides: it flatters all methods a little\n";
    draft.warnings.emplace_back("the split that comes with the data has equal rows on both sides");
  }
  // Tables of TOML come once.
  const std::size_t at = draft.source.find("\n[split]\n");
  if (at != std::string::npos)
    draft.source.insert(at + 9, line);
  else
    draft.source += "\n[split]\n" + line;
  draft.guesses.push_back({"equal rows", text(alike.size()), "rows that are the same in everything as an earlier one"});
}

}  // namespace

Draft draft_folder(const InitOptions& options, const std::string& path) {
  const std::vector<Array> arrays = arrays_of(options.data);
  if (arrays.empty())
    throw ConfigError(text("init: ", options.data, " holds no NPY file\n  help: give a CSV, or a folder of arrays"));
  const Array* target = nullptr;
  std::map<std::int64_t, std::int64_t> classes;
  for (const Array& a : arrays) {
    const bool wanted = options.target.empty()
                            ? named(a.name, {"y", "target", "targets", "label", "labels", "class"})
                            : a.name == options.target || std::ranges::find(a.files, options.target) != a.files.end();
    if (!wanted || target) continue;
    classes = classes_in(options.data, a);
    if (!classes.empty()) target = &a;
  }
  if (!target)
    throw ConfigError(text("init: no file of ", options.data, " holds ",
                           options.target.empty() ? "classes" : text("classes and is called \"", options.target, "\""),
                           ": whole numbers, one per row, few different ones\n"
                           "  help: name the file with --target"));
  Draft draft;
  const auto guess = [&](const std::string& what, const std::string& where, const std::string& why) {
    draft.guesses.push_back({what, where, why});
  };
  std::string& out = draft.source;
  std::int64_t rows = 0, columns = 0;
  for (const std::int64_t n : target->rows) rows += n;
  std::string values;
  for (const auto& [value, count] : classes) values += text(values.empty() ? "" : ", ", value, " (", count, " rows)");
  out += text(
      "# Drafted by weft init from the arrays of ", study_name(options.data), " (", rows,
      " rows).\n# All of it is guessed from names and shapes: read it before you trust it. docs/studies.md lists what ",
      "else may be said.\n\n[study]\nname = ", toml(study_name(options.data)), "\ntarget = ", toml(target->files),
      "  # ", values, '\n');
  guess("target", target->files.front(), options.target.empty() ? "its name: " + values : "given: " + values);
  if (classes.size() == 2) out += text("positive = \"", classes.rbegin()->first, "\"  # what a probability is about\n");
  out += "\n[data]\nfolder = " + toml(path_from(path, options.data)) + "\n";
  if (target->files.size() == 2) {
    out += "fixed_split = true  # *_train.npy are to train on, *_test.npy to test on\n";
    guess("given split", "*_train and *_test", text(target->rows[0], " and ", target->rows[1], " rows"));
  }
  Strings left;
  std::string modalities;
  for (const Array& a : arrays) {
    if (&a == target) continue;
    if (a.rows != target->rows) {
      left.push_back(a.files.front());
    } else if (a.width == 1 &&
               named(a.name, {"group", "groups", "patient", "patients", "subject", "subjects", "person"})) {
      out += "\n[split]\ngroup = " + toml(a.files) + "  # rows that share it are never parted\n";
      guess("splits grouped by", a.files.front(), "its name");
    } else if (named(a.name, {"idx", "index", "fold", "folds", "split", "time", "event"})) {
      left.push_back(a.files.front());
    } else {
      std::string name = a.name;
      if (name.size() > 3 && name[0] == 'x' && name[2] == '_') name = name.substr(3);  // x1_image
      modalities += text("\n[[modality]]\nname = ", toml(name), '\n', file_lines(a));
      const std::string features = a.name + "_features.txt";
      std::error_code ignored;
      if (fs::exists(fs::path(options.data) / features, ignored) && a.shape.size() == 1)
        modalities += "feature_names = " + toml(features) + "\n";
      if (const std::string encoder = encoder_of(a); !encoder.empty()) modalities += "encoder = " + encoder + "\n";
      columns = std::max(columns, a.shape.size() == 1 ? a.width : 0);
      guess("modality", name, text(a.files.front(), ", rows of ", shape_text(a.shape)));
    }
  }
  if (modalities.empty())
    throw ConfigError(text("init: no other file of ", options.data, " has as many rows as ", target->files.front(),
                           " (", target->rows.front(), ")"));
  for (const std::string& file : left)
    guess("left aside", file, "other rows than the target, or no evidence by its name");
  out += modalities;
  const std::string end = training_text(rows, columns, classes.size()) + comparing_text(rows, {});
  keep_equal_rows(draft, path, end);
  out += end;
  return draft;
}

}  // namespace weft::study
