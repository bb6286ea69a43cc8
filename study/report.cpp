#include <weft/study/report.h>

#include <weft/study/report_sections.h>
#include <weft/study/version.h>

namespace weft::study {
using namespace show;
namespace {

/// How rows were told apart into those to learn from and those to test on, in plain words.
const char* kind_in_words(const std::string& kind) {
  if (kind == "site")
    return "Each site was left out once and tested on, so that figures are of places not seen before.";
  if (kind == "time") return "What is tested on lies after all that was learned from.";
  if (kind == "grouped") return "Rows of one group (say, of one patient) are always on the same side.";
  if (kind == "file") return "The same rows are on the same sides as in an earlier run.";
  if (kind == "random") return "Rows were drawn at random.";
  return "Rows were drawn at random, with every class as common on both sides as in all.";
}

std::string title_of(const Report& report) {
  if (report.run) return report.run->title;
  if (report.robustness) return report.robustness->title;
  return report.explained ? report.explained->study : report.trained->study;
}

std::string lead_of(const Report& report) {
  std::string out;
  const auto add = [&out](const char* what) { out += text(out.empty() ? "" : ", ", what); };
  if (report.run) add("methods compared");
  if (report.robustness) add("robustness");
  if (report.trained) add("a model kept");
  if (report.explained) add("single patients explained");
  return text("A report of weft: ", out, ".");
}

}  // namespace

std::string data_section(const Report& report) {
  std::string out;
  if (report.run) {
    const Run& run = *report.run;
    out += open_table({.caption = text(run.rows, " rows by class"), .header = {"Class", "rows", "share"}});
    for (std::size_t c = 0; c < run.classes.size(); ++c)
      out += row({escape(run.classes[c]), text(run.class_rows[c]),
                  percent(static_cast<double>(run.class_rows[c]) / static_cast<double>(run.rows))});
    out += text(close_table, "<p>Modalities: ");
    for (std::size_t m = 0; m < run.modalities.size(); ++m) out += text(m ? ", " : "", escape(run.modalities[m]));
    out += text(
        ".</p>\n<p>", escape(protocol_text(run)), " (rows to learn from / to test on). ", kind_in_words(run.parts.kind),
        " Standardisation, filling of gaps, early stopping and every choice see rows to learn from only.</p>\n");
  }
  if (!report.splits.empty()) {
    std::string rows = open_table({.caption = "Rows of each split; splits.json lists them",
                                   .header = {"Split", "to learn from", "to test on"},
                                   .tall = report.splits.size() > 30});
    for (const SplitSize& s : report.splits) rows += row({escape(s.name), text(s.train), text(s.test)});
    out += folded("Sizes of the splits", rows + close_table);
  }
  if (report.run) out += splits_table(*report.run, report.findings);
  return out;
}

std::string origin_section(const Report& report) {
  std::string out = open_table(
      {.caption = "What this page was made from", .header = {"Part", "weft", "study", "seed", "details"}, .left = 5});
  const auto add = [&](const char* what, const std::string& made_by, const std::string& study, std::uint64_t seed,
                       const std::string& details) {
    out += row({what, escape(made_by), escape(study), text(seed), escape(details)}, 5);
  };
  if (const auto& run = report.run)
    add("comparison", run->version, run->study, run->seed,
        text(run->splits, " splits, ", run->seeds, run->seeds == 1 ? " seed" : " seeds", " per fusion; data checksum ",
             run->data_checksum));
  if (const auto& run = report.robustness)
    add("robustness", run->version, run->study, run->seed, text(run->splits, " splits"));
  if (const auto& t = report.trained) add("kept model", t->version, t->study, t->seed, t->fusion);
  if (const auto& e = report.explained)
    add("explanations", e->version, e->study, e->seed, text(e->fusion, ", ", e->patients.size(), " patients"));
  out += text(close_table, "<p>This page was written by weft ", version, ".</p>\n");
  if (report.run) out += folded("The study file", text("<pre tabindex=\"0\">", escape(report.run->source), "</pre>"));
  return out;
}

std::string html_report(const Report& report) {
  std::vector<Section> sections = {{"summary", "Summary", summary_section(report)},
                                   {"patients", "Patients", patients_section(report)}};
  if (const auto& run = report.run) {
    const Findings& findings = report.findings;
    sections.push_back({"methods", "Methods compared", methods_section(*run, findings)});
    sections.push_back({"reliability", "Reliability", trust_section(*run, findings)});
    sections.push_back({"parts", "Subgroups", parts_section(*run, findings)});
  }
  sections.push_back({"weights", "Weights per modality", weights_section(report)});
  if (report.robustness)
    sections.push_back({"robustness", "Robustness", robustness_section(*report.robustness, report.curves)});
  if (report.trained) sections.push_back({"model", "The kept model", model_section(*report.trained)});
  sections.push_back({"learning", "Learning curves", curves_section(report)});
  sections.push_back({"data", "Data and splits", data_section(report)});
  sections.push_back({"origin", "To make it again", origin_section(report)});
  return page(title_of(report), lead_of(report), sections);
}

std::string html_report(const Run& run, const Findings& findings) {
  return html_report({.run = run, .findings = findings, .splits = sizes_of(run.parts)});
}

}  // namespace weft::study
