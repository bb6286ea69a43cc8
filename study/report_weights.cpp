#include <cmath>

#include <weft/study/report_sections.h>

namespace weft::study {
using namespace show;
namespace {

std::string number_and_bar(double value) { return fixed(value) + bar(value); }

std::string of_methods(const Run& run, const Findings& findings) {
  const std::size_t modalities = run.modalities.size();
  TableOptions table{.caption =
                         "Mean weight over the test rows of each class and over the splits; 0 where a row lacks "
                         "the modality",
                     .header = {"Fusion", "Class"},
                     .left = 2,
                     .sortable = true};
  table.header.insert(table.header.end(), run.modalities.begin(), run.modalities.end());
  std::string rows;
  std::size_t count = 0;
  for (const Summary& each : findings.rows)
    for (std::size_t c = 0; learns_weights(each) && c < run.classes.size(); ++c) {
      std::vector<std::string> cells = {escape(each.method), escape(run.classes[c])};
      for (std::size_t m = 0; m < modalities; ++m) cells.push_back(number_and_bar(each.weights[c * modalities + m]));
      rows += row(cells, 2);
      ++count;
    }
  table.filter = count > 8;
  table.tall = count > 40;
  if (table.filter) table.choices = {0, 1};
  std::string out = rows.empty() ? "" : open_table(table) + rows + close_table;
  if (const std::string note = fixed_weights_note(findings); !note.empty()) out += soft(note);
  return out;
}

/// Weights, mean |Shapley value| and drop-one effect of groups of patients.
std::string of_groups(const Explained& explained) {
  if (explained.groups.empty()) return "";
  TableOptions table{.caption = text("The kept model (", explained.fusion,
                                     "): mean weights, mean size of Shapley values, and mean loss of the probability "
                                     "when a modality is taken away, by group of patients"),
                     .header = {"Group", "What"},
                     .left = 2,
                     .sortable = true,
                     .filter = explained.groups.size() > 2,
                     .choices = {1}};
  table.header.insert(table.header.end(), explained.modalities.begin(), explained.modalities.end());
  table.header.emplace_back("patients");
  std::string out = open_table(table);
  for (const PatientGroup& g : explained.groups) {
    const auto line = [&](const char* what, const std::vector<double>& values) {
      if (values.empty()) return;
      std::vector<std::string> cells = {escape(g.by + " = " + g.value), what};
      for (const double v : values) cells.push_back(fixed(v) + bar(v));
      cells.push_back(text(g.count));
      out += row(cells, 2);
    };
    line("weight", g.weights);
    line("Shapley", g.shapley);
    line("lost without it", g.drop_one);
  }
  return out + close_table;
}

std::string agreement_text(const Explained& explained) {
  if (!explained.agreement) return "";
  const Agreement& a = *explained.agreement;
  const char* words = a.low > 0.5 ? "Weights order the modalities much as their effect on the answer does."
                      : a.high < 0.3
                          ? "Weights say little about what moved the answer: go by the Shapley values."
                          : "Weights only partly tell what moved the answer: look at the Shapley values too.";
  return text("<p>Agreement of weights with the size of Shapley values (Spearman): <strong>", fixed(a.spearman, 2),
              "</strong> (95% interval ", fixed(a.low, 2), " to ", fixed(a.high, 2), "). ", words, "</p>\n");
}

}  // namespace

std::string weights_section(const Report& report) {
  std::string out;
  if (report.explained) out += agreement_text(*report.explained) + of_groups(*report.explained);
  if (report.run) out += of_methods(*report.run, report.findings);
  return out;
}

}  // namespace weft::study
