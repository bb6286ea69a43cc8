#include <algorithm>
#include <cmath>
#include <map>

#include <weft/study/report_sections.h>

namespace weft::study {
using namespace show;
namespace {

/// The interval as a line with its mean as a dot, on a scale common to all rows.
std::string whisker(const data::Interval& i, double low, double high) {
  if (!std::isfinite(i.estimate)) return "";
  const auto x = [&](double v) { return fixed(4 + 152 * (v - low) / (high - low), 1); };
  std::string out = "<svg class=\"whisker\" width=\"160\" height=\"14\" viewBox=\"0 0 160 14\" aria-hidden=\"true\">";
  if (std::isfinite(i.low))
    out += "<line x1=\"" + x(i.low) + "\" x2=\"" + x(i.high) +
           "\" y1=\"7\" y2=\"7\" stroke=\"var(--soft)\" stroke-width=\"2\"/>";
  return out + "<circle cx=\"" + x(i.estimate) + "\" cy=\"7\" r=\"4\" fill=\"var(--mark)\"/></svg>";
}

const char* kind_of(const Summary& row) {
  if (row.chosen) return "chosen fusion";
  switch (row.kind) {
    case MethodKind::single: return "one modality";
    case MethodKind::baseline: return "baseline";
    case MethodKind::fusion: break;
  }
  return "fusion";
}

std::string results_table(const Run& run, const Findings& findings) {
  double low = 1e300, high = -1e300;
  for (const Summary& row : findings.rows)
    for (const double v : {row.metrics[0].estimate, row.metrics[0].low, row.metrics[0].high})
      if (std::isfinite(v)) {
        low = std::min(low, v);
        high = std::max(high, v);
      }
  if (!(high > low)) high = low + 1;
  TableOptions table{.caption = text("Mean over the test rows of ", run.splits, " splits"),
                     .header = {"Method", metric_title(run.metric) + " with " + percent(run.level) + " interval"},
                     .left = 2,
                     .sortable = true,
                     .filter = true};
  for (std::size_t k = 1; k < run.metrics.size(); ++k) table.header.push_back(metric_title(run.metrics[k]));
  if (run.fixed) table.header.emplace_back("given split");
  table.choices = {table.header.size()};
  table.header.emplace_back("Kind");
  std::string out = open_table(table);
  for (const Summary& each : findings.rows) {
    const data::Interval& main = each.metrics[0];
    out += text(each.chosen ? "<tr class=\"chosen\">" : "<tr>", "<th scope=\"row\">", escape(each.method),
                "</th><td class=\"main left\">", fixed(main.estimate), "<small>", span(main), "</small>",
                whisker(main, low, high), "</td>");
    for (std::size_t k = 1; k < each.metrics.size(); ++k) out += "<td>" + fixed(each.metrics[k].estimate) + "</td>";
    if (run.fixed)
      out += each.fixed ? text("<td>", fixed(each.fixed->estimate), "<small> ", span(*each.fixed), "</small></td>")
                        : std::string("<td>–</td>");
    out += text("<td>", kind_of(each), "</td></tr>\n");
  }
  return out + close_table;
}

std::string paired_text(const Run& run, const Findings& findings) {
  if (!findings.paired) return "";
  const data::Comparison& p = *findings.paired;
  std::string out =
      text("<p>The fusion chosen on validation data minus <strong>", escape(run.reference), "</strong>: <strong>",
           fixed(p.difference, 4), "</strong> ", escape(metric_title(run.metric)), " (", percent(run.level),
           " interval ", fixed(p.low, 4), " to ", fixed(p.high, 4), ", p = ", fixed(p.p_value, 3), "). ");
  out +=
      "Paired over the splits; corrected resampled t, because splits share their rows (Nadeau and Bengio 2003). "
      "Within each split the fusion is the one with the best validation score; test rows never take part in the "
      "choice.</p>\n";
  std::map<std::string, int> times;
  for (const std::string& name : findings.chosen) ++times[name];
  std::string chosen = "Chosen: ";
  for (const auto& [name, count] : times)
    chosen += text(chosen.ends_with(": ") ? "" : ", ", name, " ", count, count == 1 ? " time" : " times");
  return out + soft(chosen + ".");
}

std::string against_table(const Run& run, const Findings& findings) {
  if (findings.against.size() < 2) return "";
  std::string out = "<h3>Each fusion against the reference</h3>\n" +
                    open_table({.caption = text("Each fusion minus ", run.reference,
                                                ", paired over splits; p-values as they are, and corrected for the "
                                                "number of fusions by Holm and by Benjamini and Hochberg"),
                                .header = {"Fusion", "difference", percent(run.level) + " interval", "p", "Holm",
                                           "Benjamini-Hochberg"},
                                .sortable = true});
  for (const Against& a : findings.against)
    out += row({escape(a.method), fixed(a.comparison.difference, 4),
                fixed(a.comparison.low, 4) + " to " + fixed(a.comparison.high, 4), fixed(a.comparison.p_value),
                fixed(a.holm), fixed(a.benjamini_hochberg)});
  return out + close_table;
}

}  // namespace

std::string methods_section(const Run& run, const Findings& findings) {
  return paired_text(run, findings) + results_table(run, findings) +
         soft(
             "Intervals are for repeated splits that share rows, so they are wider than s/√n (Nadeau and Bengio "
             "2003). Brier score and log-loss: lower is better; everything else: higher is better.") +
         against_table(run, findings);
}

std::string splits_table(const Run& run, const Findings& findings) {
  TableOptions table{.caption = metric_title(run.metric) + " on the test rows of each split",
                     .header = {"Split"},
                     .sortable = true,
                     .tall = run.splits > 30};
  table.header.insert(table.header.end(), run.methods.begin(), run.methods.end());
  if (!findings.chosen.empty()) table.header.emplace_back("chosen");
  std::string out = open_table(table);
  std::map<std::pair<std::int64_t, std::string>, std::pair<double, double>> sums;
  for (const Record& r : run.records) {
    auto& [sum, count] = sums[{r.split, r.method}];
    sum += r.metrics[0];
    ++count;
  }
  for (std::int64_t s = run.fixed ? -1 : 0; s < run.splits; ++s) {
    std::vector<std::string> cells = {s < 0 ? std::string("given") : std::to_string(s + 1)};
    for (const std::string& method : run.methods) {
      const auto& [sum, count] = sums[{s, method}];
      cells.push_back(fixed(sum / count));
    }
    if (!findings.chosen.empty())
      cells.push_back(s < 0 ? std::string() : escape(findings.chosen[static_cast<std::size_t>(s)]));
    out += row(cells);
  }
  return folded("Every split", out + close_table);
}

std::vector<const Summary*> leading(const Run& run, const Findings& findings) {
  const bool higher = data::metric(run.metric).higher_is_better;
  const auto best = [&](auto&& belongs) {
    const Summary* found = nullptr;
    for (const Summary& each : findings.rows) {
      const double score = each.metrics[0].estimate;
      if (!std::isfinite(score) || !belongs(each)) continue;
      if (!found || (higher ? score > found->metrics[0].estimate : score < found->metrics[0].estimate)) found = &each;
    }
    return found;
  };
  std::vector<const Summary*> out;
  const auto add = [&](const Summary* each) {
    if (each && std::ranges::find(out, each) == out.end()) out.push_back(each);
  };
  add(best([](const Summary& s) { return s.chosen; }));
  add(best([&](const Summary& s) { return s.method == run.reference; }));
  add(best([](const Summary& s) { return s.kind == MethodKind::single; }));
  add(best([](const Summary& s) { return s.kind == MethodKind::baseline; }));
  if (out.empty()) add(&findings.rows.back());
  return out;
}

}  // namespace weft::study
