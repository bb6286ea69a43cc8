#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <weft/show/terminal.h>
#include <weft/study/report.h>

namespace weft::study {
using namespace show;

std::string metric_title(const std::string& name) {
  static const std::map<std::string, std::string> titles = {{"roc_auc", "ROC AUC"},
                                                            {"f1_macro", "macro F1"},
                                                            {"f1_weighted", "weighted F1"},
                                                            {"balanced_accuracy", "balanced accuracy"},
                                                            {"average_precision", "average precision"},
                                                            {"brier", "Brier"},
                                                            {"log_loss", "log-loss"},
                                                            {"calibration_error", "calibration error"}};
  const auto it = titles.find(name);
  if (it != titles.end()) return it->second;
  std::string out = name;
  std::ranges::replace(out, '_', ' ');
  return out;
}

bool learns_weights(const Summary& row) {
  static constexpr std::array without = {"late", "mean", "static"};
  return !row.weights.empty() && row.kind == MethodKind::fusion &&
         std::ranges::find(without, row.method) == without.end();
}

std::string fixed_weights_note(const Findings& findings) {
  std::string equal;
  bool given = false;
  for (const Summary& row : findings.rows) {
    if (row.kind != MethodKind::fusion || row.weights.empty() || learns_weights(row)) continue;
    if (row.method == "static")
      given = true;
    else
      equal += (equal.empty() ? "" : " and ") + row.method;
  }
  std::string out = equal.empty() ? "" : equal + ": equal weights for all modalities that a row has, by definition.";
  if (given) out += std::string(out.empty() ? "" : " ") + "static: the weights that the study gives.";
  return out;
}

std::string protocol_text(const Run& run) {
  const std::string sizes = text(run.train_rows, "/", run.test_rows);
  if (run.parts.kind == "site")
    return text("each of ", run.splits, " sites left out once, ", sizes, " rows on average");
  if (run.parts.kind == "time")
    return text(run.splits, " spans of time, each after all it learns from, ", sizes, " on average");
  if (run.parts.kind == "grouped") return text(run.splits, " splits of whole groups ", sizes);
  return text(run.splits, " ", run.parts.kind == "file" ? "kept" : run.parts.kind, " splits ", sizes);
}

namespace {

/// Calibration and what referring the least certain rows gains.
std::string trust_table(const Run& run, const Findings& findings, const Style& style) {
  TextTable table({"reliability", "calibration error", "at temperature", "scaled", "errors",
                   text(std::lround(100 * run.refer), "% referred")});
  for (const Summary& row : findings.rows)
    table.row(
        {row.method, fixed(row.calibration_error.estimate), fixed(row.temperature, 2),
         fixed(row.scaled_calibration_error.estimate), fixed(row.error.estimate), fixed(row.referred_error.estimate)},
        row.chosen);
  return '\n' + table.str(style);
}

std::string against_table(const Run& run, const Findings& findings, const Style& style) {
  if (findings.against.size() < 2) return "";
  TextTable table({"minus " + run.reference, "difference", text(std::lround(run.level * 100), "% interval"), "p",
                   "Holm", "Benjamini-Hochberg"});
  for (const Against& a : findings.against)
    table.row({a.method, fixed(a.comparison.difference, 4),
               fixed(a.comparison.low, 4) + " to " + fixed(a.comparison.high, 4), fixed(a.comparison.p_value),
               fixed(a.holm), fixed(a.benjamini_hochberg)});
  return '\n' + table.str(style);
}

/// Subgroups and patterns of missing modalities, of the last row: the chosen fusion where there is one.
std::string parts_table(const Run& run, const Findings& findings, const Style& style) {
  if (findings.rows.empty() || findings.rows.back().parts.empty()) return "";
  const Summary& row = findings.rows.back();
  TextTable table({row.method, "rows tested", metric_title(run.metric), "accuracy"});
  for (const Part& part : row.parts)
    table.row({part.name, std::to_string(part.rows), fixed(part.metric), fixed(part.accuracy)});
  return '\n' + table.str(style);
}

}  // namespace

std::string text_report(const Run& run, const Findings& findings, const Style& style) {
  std::string out = style.bold(run.title) + '\n';
  out += text(run.rows, " rows (");
  for (std::size_t c = 0; c < run.classes.size() && c < 10; ++c)
    out += text(c ? ", " : "", run.class_rows[c], ' ', run.classes[c]);
  out += text(run.classes.size() > 10 ? ", ..." : "", "), ", run.modalities.size(), " modalities; ", protocol_text(run),
              ", seed ", run.seed, "\n\n");

  // The metric that counts with its interval, two or three others as means only.
  std::vector<std::size_t> others;
  for (std::size_t k = 1; k < run.metrics.size(); ++k)
    if (run.metrics[k] == "balanced_accuracy" || run.metrics[k] == "f1_macro" || run.metrics[k] == "brier" ||
        run.metrics[k] == "accuracy")
      others.push_back(k);
  // A narrow terminal gets fewer of them; the line that would not fit is harder to read than one that is not there.
  if (style.columns > 0) {
    std::size_t used = 0;
    for (const Summary& row : findings.rows) used = std::max(used, display_width(row.method));
    used += 2 + std::max<std::size_t>(5, display_width(metric_title(run.metric))) + 2 +
            std::string_view("0.000 to 0.000").size();
    std::size_t fit = 0;
    for (; fit < others.size(); ++fit) {
      used += 2 + std::max<std::size_t>(5, display_width(metric_title(run.metrics[others[fit]])));
      if (used > style.columns) break;
    }
    others.resize(fit);
  }
  std::vector<std::string> header = {"", metric_title(run.metric), text(std::lround(run.level * 100), "% interval")};
  for (const std::size_t k : others) header.push_back(metric_title(run.metrics[k]));
  if (run.fixed) header.push_back("given split");
  TextTable table(header);
  MethodKind last = MethodKind::single;
  for (const Summary& row : findings.rows) {
    if (row.kind != last || row.chosen) table.rule();
    last = row.kind;
    const bool narrow = style.columns > 0 && style.columns < 60;
    std::vector<std::string> cells = {narrow && row.chosen ? "chosen" : row.method, fixed(row.metrics[0].estimate),
                                      fixed(row.metrics[0].low) + " to " + fixed(row.metrics[0].high)};
    for (const std::size_t k : others) cells.push_back(fixed(row.metrics[k].estimate));
    if (run.fixed)
      cells.push_back(
          !row.fixed ? ""
          : style.columns > 0 && style.columns < 110
              ? fixed(row.fixed->estimate)
              : text(fixed(row.fixed->estimate), " (", fixed(row.fixed->low), " to ", fixed(row.fixed->high), ')'));
    table.row(std::move(cells), row.chosen);
  }
  out += table.str(style);
  if (findings.paired)
    out += text("\nchosen on validation minus ", run.reference, ": ", fixed(findings.paired->difference, 4), " (",
                std::lround(run.level * 100), "% interval ", fixed(findings.paired->low, 4), " to ",
                fixed(findings.paired->high, 4), ", p = ", fixed(findings.paired->p_value, 3),
                "; paired over splits, corrected resampled t)\n");
  if (!findings.chosen.empty()) {
    std::map<std::string, int> times;
    for (const std::string& name : findings.chosen) ++times[name];
    out += "chosen: ";
    bool first = true;
    for (const std::string& method : run.methods)
      if (times.contains(method)) {
        out += text(first ? "" : ", ", method, " ", times[method], "x");
        first = false;
      }
    out += '\n';
  }

  // A narrow terminal has the page instead.
  if (style.columns == 0 || style.columns >= 80)
    out += against_table(run, findings, style) + trust_table(run, findings, style) + parts_table(run, findings, style);

  bool any = false;
  TextTable weights([&] {
    std::vector<std::string> names = {"mean weight by class"};
    names.insert(names.end(), run.modalities.begin(), run.modalities.end());
    return names;
  }());
  for (const Summary& row : findings.rows)
    for (std::size_t c = 0; learns_weights(row) && c < run.classes.size(); ++c) {
      std::vector<std::string> cells = {row.method + ", " + run.classes[c]};
      for (std::size_t m = 0; m < run.modalities.size(); ++m)
        cells.push_back(fixed(row.weights[c * run.modalities.size() + m]));
      weights.row(std::move(cells));
      any = true;
    }
  if (any && run.classes.size() <= 4) out += '\n' + weights.str(style);
  if (const std::string note = fixed_weights_note(findings); !note.empty()) out += (any ? "" : "\n") + note + '\n';
  return out;
}

}  // namespace weft::study
