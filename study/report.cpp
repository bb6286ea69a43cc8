#include <weft/study/report.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <weft/show/terminal.h>

namespace weft::study {
using namespace show;

std::string escape(const std::string& s) {
  std::string out;
  for (const char c : s) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  return out;
}

namespace {

constexpr const char* head = R"(<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d1d9e0; --paper: #fff; --mark: #0b6e4f; --shade: #f3f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #3a424c; --paper: #14181d; --mark: #5bd1a5; --shade: #1d232a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.soft, figcaption { color: var(--soft); font-size: .9rem; text-align: left; }
.wide { overflow-x: auto; background: linear-gradient(to left, var(--paper) 1rem, transparent) 100% 0 / 2rem 100% no-repeat local, linear-gradient(to left, var(--line), transparent) 100% 0 / .8rem 100% no-repeat scroll; } .wide:focus { outline: 2px solid var(--mark); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: baseline; }
thead th { white-space: normal; vertical-align: bottom; } th:first-child, .left { text-align: left; } tbody th { font-weight: 400; } tr.chosen th, tr.chosen td { font-weight: 700; background: var(--shade); }
tr.chosen small { font-weight: 400; } td.main small { color: var(--soft); font-size: .9em; margin: 0 .6rem; }
svg.whisker { vertical-align: middle; } svg.bar { display: block; margin-left: auto; }
figure svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; } figure { margin: 0; }
pre { background: var(--shade); padding: .8rem; overflow-x: auto; font-size: .85rem; }
@media (max-width: 40rem) {
  th, td { padding: .3rem .4rem; } table { font-size: .92rem; } th:first-child { white-space: normal; }
  td.main small, td.main svg { display: block; margin: 0; } svg.bar { width: 2.6rem; height: .35rem; }
}
</style>
)";

/// Opens a table that scrolls sideways on a narrow screen; focusable, so that the keyboard can scroll it too.
/// The first `left` columns are words, the others numbers.
std::string open_table(const std::string& caption, const std::vector<std::string>& header, std::size_t left = 1) {
  // Outside of what scrolls, so that it can be read without scrolling.
  std::string out =
      text("<p class=\"soft\">", escape(caption), "</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\"",
           " aria-label=\"", escape(caption), "\"><table>\n<thead><tr>");
  for (std::size_t i = 0; i < header.size(); ++i)
    out += text("<th scope=\"col\"", i < left ? " class=\"left\">" : ">", escape(header[i]), "</th>");
  return out + "</tr></thead>\n<tbody>\n";
}
constexpr const char* close_table = "</tbody></table></div>\n";

std::string percent(double level) { return text(std::lround(level * 100), "%"); }

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

std::string results_table(const Run& run, const Findings& findings) {
  double low = 1e300, high = -1e300;
  for (const Summary& row : findings.rows)
    for (const double v : {row.metrics[0].estimate, row.metrics[0].low, row.metrics[0].high})
      if (std::isfinite(v)) {
        low = std::min(low, v);
        high = std::max(high, v);
      }
  if (!(high > low)) high = low + 1;
  std::vector<std::string> header = {"Method", metric_title(run.metric) + " with " + percent(run.level) + " interval"};
  for (std::size_t k = 1; k < run.metrics.size(); ++k) header.push_back(metric_title(run.metrics[k]));
  if (run.fixed) header.push_back("given split");
  std::string out = open_table(text("Mean over the test rows of ", run.splits, " splits"), header, 2);
  for (const Summary& row : findings.rows) {
    out += text(row.chosen ? "<tr class=\"chosen\">" : "<tr>", "<th scope=\"row\">", escape(row.method),
                "</th><td class=\"main left\">", fixed(row.metrics[0].estimate), "<small>", fixed(row.metrics[0].low),
                " to ", fixed(row.metrics[0].high), "</small>", whisker(row.metrics[0], low, high), "</td>");
    for (std::size_t k = 1; k < row.metrics.size(); ++k) out += "<td>" + fixed(row.metrics[k].estimate) + "</td>";
    if (run.fixed)
      out += "<td>" +
             (row.fixed ? text(fixed(row.fixed->estimate), "<small> ", fixed(row.fixed->low), " to ",
                               fixed(row.fixed->high), "</small>")
                        : std::string("–")) +
             "</td>";
    out += "</tr>\n";
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
  out += "<p class=\"soft\">Chosen: ";
  bool first = true;
  for (const auto& [name, count] : times) {
    out += text(first ? "" : ", ", escape(name), " ", count, count == 1 ? " time" : " times");
    first = false;
  }
  return out + ".</p>\n";
}

std::string weights_table(const Run& run, const Findings& findings) {
  const std::size_t modalities = run.modalities.size();
  std::vector<std::string> header = {"Fusion", "Class"};
  header.insert(header.end(), run.modalities.begin(), run.modalities.end());
  std::string rows;
  for (const Summary& row : findings.rows)
    for (std::size_t c = 0; learns_weights(row) && c < run.classes.size(); ++c) {
      rows +=
          "<tr><th scope=\"row\">" + escape(row.method) + "</th><td class=\"left\">" + escape(run.classes[c]) + "</td>";
      for (std::size_t m = 0; m < modalities; ++m) {
        const double w = row.weights[c * modalities + m];
        rows += text("<td>", fixed(w),
                     "<svg class=\"bar\" width=\"64\" height=\"6\" viewBox=\"0 0 64 6\" preserveAspectRatio=\"none\" "
                     "aria-hidden=\"true\"><rect width=\"64\" height=\"6\" "
                     "fill=\"var(--line)\"/><rect width=\"",
                     fixed(64 * std::clamp(w, 0.0, 1.0), 1), "\" height=\"6\" fill=\"var(--mark)\"/></svg></td>");
      }
      rows += "</tr>\n";
    }
  std::string out;
  if (!rows.empty())
    out += open_table("Mean over the test rows of each class and over the splits; 0 where a row lacks the modality",
                      header, 2) +
           rows + close_table;
  if (const std::string note = fixed_weights_note(findings); !note.empty())
    out += "<p class=\"soft\">" + escape(note) + "</p>\n";
  return out.empty() ? "" : "<h2>Weights per modality by class</h2>\n" + out;
}

struct Scale {
  double low = 1e300, high = -1e300;
  explicit Scale(const std::vector<double>& values) {
    for (const double v : values)
      if (std::isfinite(v)) {
        low = std::min(low, v);
        high = std::max(high, v);
      }
    if (!(high > low)) high = low + 1;
  }
};

std::string polyline(const std::vector<double>& values, const Scale& scale, const char* color, const char* dash) {
  std::string points;
  const double last = std::max<double>(1, static_cast<double>(values.size()) - 1);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isfinite(values[i]))
      points += fixed(36 + 228 * static_cast<double>(i) / last, 1) + ',' +
                fixed(140 - 126 * (values[i] - scale.low) / (scale.high - scale.low), 1) + ' ';
  return text("<polyline fill=\"none\" stroke=\"", color, "\" stroke-width=\"1.8\" stroke-dasharray=\"", dash,
              "\" points=\"", points, "\"/>");
}

std::string curves(const Run& run) {
  std::string out;
  for (const Record& r : run.records) {
    if (r.split != 0 || r.seed != 0 || r.curve.train_loss.empty()) continue;
    // What a fusion adds to its training loss would press the other curve flat: each has its own scale.
    const Scale train(r.curve.train_loss), validation(r.curve.validation_loss);
    const std::string title =
        text("Training loss of ", r.method, " over ", r.curve.train_loss.size(), " epochs, from ",
             fixed(r.curve.train_loss.front()), " to ", fixed(r.curve.train_loss.back()), "; validation loss from ",
             fixed(r.curve.validation_loss.front()), " to ", fixed(r.curve.validation_loss.back()));
    out += "<figure><svg viewBox=\"0 0 300 160\" role=\"img\" aria-label=\"" + escape(title) + "\"><title>" +
           escape(title) + "</title><path d=\"M36 14V140H264V14\" fill=\"none\" stroke=\"var(--line)\"/>" +
           polyline(r.curve.train_loss, train, "var(--soft)", "none") +
           polyline(r.curve.validation_loss, validation, "var(--mark)", "5 3") + "<text x=\"2\" y=\"18\">" +
           fixed(train.high, 2) + "</text><text x=\"2\" y=\"140\">" + fixed(train.low, 2) +
           "</text><text x=\"298\" y=\"18\" text-anchor=\"end\">" + fixed(validation.high, 2) +
           "</text><text x=\"298\" y=\"140\" text-anchor=\"end\">" + fixed(validation.low, 2) +
           "</text><text x=\"36\" y=\"155\">1</text><text x=\"264\" y=\"155\" text-anchor=\"end\">epoch " +
           std::to_string(r.curve.train_loss.size()) + "</text></svg><figcaption>" + escape(r.method) +
           "</figcaption></figure>\n";
  }
  return out.empty() ? ""
                     : "<h2>Learning curves of the first split</h2>\n<p class=\"soft\">Solid line and left scale: "
                       "training loss, with what a fusion adds to it. Dashed line and right scale: log-loss of the "
                       "rows held out for validation.</p>\n<div class=\"figures\">\n" +
                           out + "</div>\n";
}

/// Errors over the share of cases that are decided, the most certain first.
std::string coverage_curve(const Summary& row) {
  const Scale scale(row.risk);
  const std::string title =
      text("Share of errors of ", row.method, " among the most certain cases: ", fixed(row.risk[9]),
           " of half of them, ", fixed(row.risk.back()), " of all");
  return "<figure><svg viewBox=\"0 0 300 160\" role=\"img\" aria-label=\"" + escape(title) + "\"><title>" +
         escape(title) + "</title><path d=\"M36 14V140H264\" fill=\"none\" stroke=\"var(--line)\"/>" +
         polyline(row.risk, scale, "var(--mark)", "none") + "<text x=\"2\" y=\"18\">" + fixed(scale.high, 2) +
         "</text><text x=\"2\" y=\"140\">" + fixed(scale.low, 2) +
         "</text><text x=\"36\" y=\"155\">5% decided</text><text x=\"264\" y=\"155\" "
         "text-anchor=\"end\">all</text></svg>"
         "<figcaption>" +
         escape(row.method) + "</figcaption></figure>\n";
}

std::string reliability(const Run& run, const Findings& findings) {
  std::string out = "<h2>Reliability</h2>\n";
  out += open_table(
      text("Expected calibration error as methods answer and after temperature scaling on held-out training rows; "
           "share of errors, and the same with the least certain ",
           percent(run.refer), " of cases referred"),
      {"Method", "calibration error", "temperature", "scaled", "errors", percent(run.refer) + " referred"});
  for (const Summary& row : findings.rows)
    out += text(row.chosen ? "<tr class=\"chosen\">" : "<tr>", "<th scope=\"row\">", escape(row.method), "</th><td>",
                fixed(row.calibration_error.estimate), "</td><td>", fixed(row.temperature, 2), "</td><td>",
                fixed(row.scaled_calibration_error.estimate), "</td><td>", fixed(row.error.estimate), "</td><td>",
                fixed(row.referred_error.estimate), "</td></tr>\n");
  out += close_table;
  const Summary& last = findings.rows.back();
  out += "<div class=\"figures\">\n" + coverage_curve(last) + "</div>\n";
  if (!last.parts.empty()) {
    out += open_table(text("Parts of the test rows, ", last.method),
                      {"Part", "rows tested", metric_title(run.metric), "accuracy"});
    for (const Part& part : last.parts)
      out += text("<tr><th scope=\"row\">", escape(part.name), "</th><td>", part.rows, "</td><td>", fixed(part.metric),
                  "</td><td>", fixed(part.accuracy), "</td></tr>\n");
    out += close_table;
  }
  if (findings.against.size() < 2) return out;
  out += open_table(text("Each fusion minus ", run.reference,
                         ", paired over splits; p-values as they are and corrected "
                         "for the number of fusions by Holm and by Benjamini and Hochberg"),
                    {"Fusion", "difference", percent(run.level) + " interval", "p", "Holm", "Benjamini-Hochberg"});
  for (const Against& a : findings.against)
    out +=
        text("<tr><th scope=\"row\">", escape(a.method), "</th><td>", fixed(a.comparison.difference, 4), "</td><td>",
             fixed(a.comparison.low, 4), " to ", fixed(a.comparison.high, 4), "</td><td>", fixed(a.comparison.p_value),
             "</td><td>", fixed(a.holm), "</td><td>", fixed(a.benjamini_hochberg), "</td></tr>\n");
  return out + close_table;
}

std::string splits_table(const Run& run, const Findings& findings) {
  std::vector<std::string> header = {"Split"};
  header.insert(header.end(), run.methods.begin(), run.methods.end());
  if (!findings.chosen.empty()) header.push_back("chosen");
  std::string out = "<h2>Every split</h2>\n<details><summary>" + escape(metric_title(run.metric)) +
                    " on the test rows of each split</summary>\n" +
                    open_table(metric_title(run.metric) + " by split", header);
  std::map<std::pair<std::int64_t, std::string>, std::pair<double, double>> sums;
  for (const Record& r : run.records) {
    auto& [sum, count] = sums[{r.split, r.method}];
    sum += r.metrics[0];
    ++count;
  }
  for (std::int64_t s = run.fixed ? -1 : 0; s < run.splits; ++s) {
    out += "<tr><th scope=\"row\">" + (s < 0 ? std::string("given") : std::to_string(s + 1)) + "</th>";
    for (const std::string& method : run.methods) {
      const auto& [sum, count] = sums[{s, method}];
      out += "<td>" + fixed(sum / count) + "</td>";
    }
    if (!findings.chosen.empty())
      out += "<td>" + (s < 0 ? std::string() : escape(findings.chosen[static_cast<std::size_t>(s)])) + "</td>";
    out += "</tr>\n";
  }
  return out + close_table + "</details>\n";
}

}  // namespace

std::string html_report(const Run& run, const Findings& findings) {
  std::string out = "<!doctype html>\n<html lang=\"en\">\n<head>\n" + std::string(head) + "<title>" +
                    escape(run.title) + " – weft</title>\n</head>\n<body>\n<main>\n<h1>" + escape(run.title) +
                    "</h1>\n";
  out += text("<p>", run.rows, " rows: ");
  for (std::size_t c = 0; c < run.classes.size(); ++c)
    out += text(c ? ", " : "", run.class_rows[c], " ", escape(run.classes[c]));
  out += ". Modalities: ";
  for (std::size_t m = 0; m < run.modalities.size(); ++m) out += text(m ? ", " : "", escape(run.modalities[m]));
  out += text(". ", escape(protocol_text(run)),
              " (rows to train on / to test on); standardisation, filling of gaps, early stopping and every choice see "
              "training rows only.</p>\n");
  out += "<h2>Results</h2>\n" + paired_text(run, findings) + results_table(run, findings);
  out +=
      "<p class=\"soft\">Intervals are for repeated splits that share rows, so they are wider than s/√n "
      "(Nadeau and Bengio 2003). Brier score and log-loss: lower is better; everything else: higher is better.</p>\n";
  out += reliability(run, findings) + weights_table(run, findings) + curves(run) + splits_table(run, findings);
  out += text("<h2>To make it again</h2>\n<p>weft ", escape(run.version), ", study <code>", escape(run.study),
              "</code>, seed ", run.seed, ", ", run.splits, " splits, ", run.seeds, run.seeds == 1 ? " seed" : " seeds",
              " per fusion.</p>\n<details><summary>The study file</summary>\n<pre>", escape(run.source),
              "</pre></details>\n");
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace weft::study
