#include <cmath>

#include <weft/study/report_sections.h>

namespace weft::study {
using namespace show;
namespace {

std::string roc_figure(const Run& run, const std::vector<const Summary*>& rows) {
  std::vector<Line> lines;
  std::string said = "Receiver operating characteristic: rate of true over rate of false positives.";
  for (const Summary* each : rows) {
    if (each->roc.empty()) continue;
    Line line{each->method, {0}, {0}};
    double area = 0;
    for (std::size_t k = 0; k < each->roc.size(); ++k) {
      line.x.push_back(static_cast<double>(k) / static_cast<double>(each->roc.size() - 1));
      line.y.push_back(each->roc[k]);
      if (k > 0) area += (each->roc[k - 1] + each->roc[k]) / 2 / static_cast<double>(each->roc.size() - 1);
    }
    said += text(' ', each->method, ": area ", fixed(area, 2), ", ", percent(line.y[6]), " true at 10% false.");
    lines.push_back(std::move(line));
  }
  if (lines.empty()) return "";
  lines.push_back({"by chance", {0, 1}, {0, 1}});
  return figure(
      run.classes.size() == 2 ? text("ROC curve for ", run.classes.back())
                              : text("ROC curve, mean over ", run.classes.size(), " classes against all others"),
      lines, {.x_label = "rate of false positives", .y_label = "rate of true positives", .description = said});
}

std::string calibration_figure(const std::vector<const Summary*>& rows) {
  std::vector<Line> lines;
  std::string said = "Share of right answers over stated certainty.";
  for (const Summary* each : rows) {
    Line line{each->method, {}, {}};
    for (const CertaintyBin& bin : each->bins)
      if (bin.rows > 0) {
        line.x.push_back(bin.certainty);
        line.y.push_back(bin.accuracy);
      }
    if (line.x.empty()) continue;
    said += text(' ', each->method, ": calibration error ", fixed(each->calibration_error.estimate), '.');
    lines.push_back(std::move(line));
  }
  if (lines.empty()) return "";
  lines.push_back({"as stated", {0, 1}, {0, 1}});
  return figure("Calibration: is the stated certainty deserved?", lines,
                {.x_label = "stated certainty", .y_label = "share of right answers", .description = said});
}

std::string calibration_table(const Summary& each) {
  std::string out =
      open_table({.caption = text("Test answers by stated certainty, ", each.method, ", all splits together"),
                  .header = {"Certainty", "answers", "mean certainty", "right"}});
  for (std::size_t k = 0; k < each.bins.size(); ++k)
    if (const CertaintyBin& bin = each.bins[k]; bin.rows > 0)
      out += row({text(10 * k, " to ", 10 * (k + 1), "%"), text(bin.rows), fixed(bin.certainty), fixed(bin.accuracy)});
  return folded("Calibration in numbers", out + close_table);
}

std::string coverage_figure(const std::vector<const Summary*>& rows) {
  std::vector<Line> lines;
  std::string said = "Share of errors over the share of cases that are decided, the most certain first.";
  for (const Summary* each : rows) {
    Line line{each->method, each->risk, {}};
    for (std::size_t k = 1; k <= each->risk.size(); ++k) line.x.push_back(static_cast<double>(k) / 20);
    said += text(' ', each->method, ": ", fixed(each->risk[9]), " of the more certain half, ", fixed(each->risk.back()),
                 " of all.");
    lines.push_back(std::move(line));
  }
  return figure("Coverage and risk: errors if only the most certain are decided", lines,
                {.x_label = "share of cases decided", .y_label = "share of errors", .description = said});
}

std::string trust_table(const Run& run, const Findings& findings) {
  std::string out = open_table(
      {.caption =
           text("Expected calibration error as methods answer and after temperature scaling on held-out training "
                "rows; share of errors, and the same with the least certain ",
                percent(run.refer), " of cases referred"),
       .header = {"Method", "calibration error", "temperature", "scaled", "errors", percent(run.refer) + " referred"},
       .sortable = true});
  for (const Summary& each : findings.rows)
    out += row({escape(each.method), fixed(each.calibration_error.estimate), fixed(each.temperature, 2),
                fixed(each.scaled_calibration_error.estimate), fixed(each.error.estimate),
                fixed(each.referred_error.estimate)},
               1, each.chosen);
  return out + close_table;
}

}  // namespace

std::string trust_section(const Run& run, const Findings& findings) {
  const auto rows = leading(run, findings);
  return figures(roc_figure(run, rows) + calibration_figure(rows) + coverage_figure(rows)) +
         soft(
             "Pictures show the chosen fusion, the reference, the best single modality and the best other baseline; "
             "means over splits. A calibration line below \"as stated\": too sure of itself.") +
         calibration_table(*rows.front()) + trust_table(run, findings);
}

std::string parts_section(const Run& run, const Findings& findings) {
  const Summary& last = findings.rows.back();
  if (last.parts.empty()) return "";
  std::string out = open_table(
      {.caption = text("Parts of the test rows, ", last.method, ": subgroups, and which modalities were there"),
       .header = {"Part", "rows tested", metric_title(run.metric), "accuracy"},
       .sortable = true,
       .filter = last.parts.size() > 8,
       .tall = last.parts.size() > 30});
  for (const Part& part : last.parts)
    out += row({escape(part.name), text(part.rows), fixed(part.metric), fixed(part.accuracy)});
  return out + close_table +
         soft("Rows are counted once per split that tests them. A part of few rows varies much by chance.");
}

}  // namespace weft::study
