#include <algorithm>
#include <cmath>

#include <weft/study/report_sections.h>

namespace weft::study {
using namespace show;
namespace {

/// What a value of the metric means for single cases; empty where that takes more than a sentence.
std::string in_words(const std::string& metric, double value) {
  if (!std::isfinite(value)) return "";
  const long of_100 = std::lround(100 * value);
  if (metric == "roc_auc")
    return text(" Given one case of each of two classes, the score is higher for the right one about ", of_100,
                " times in 100; 50 would be guessing.");
  if (metric == "accuracy") return text(" About ", of_100, " of 100 cases are answered right.");
  if (metric == "balanced_accuracy")
    return text(" About ", of_100, " of 100 cases of each class are answered right, on average over classes.");
  return "";
}

const Summary* chosen_row(const Findings& findings) {
  const auto it = std::ranges::find_if(findings.rows, [](const Summary& s) { return s.chosen; });
  return it == findings.rows.end() ? nullptr : &*it;
}

class Writer {
 public:
  explicit Writer(const Report& report) : report_(report) {}

  std::string html() {
    if (report_.run) comparison(*report_.run);
    if (report_.robustness) robustness(*report_.robustness);
    if (report_.trained) model(*report_.trained);
    if (report_.explained) patients(*report_.explained);
    warnings();
    std::string out = "<dl class=\"facts\">" + facts_ + "</dl>\n<h3>What to beware of</h3>\n<ul class=\"plain\">";
    for (const std::string& w : warnings_) out += text("<li>", w, "</li>");
    return out + "</ul>\n";
  }

 private:
  void fact(const char* what, const std::string& html) { facts_ += text("<dt>", what, "</dt><dd>", html, "</dd>\n"); }
  void beware(std::string html) { warnings_.push_back(std::move(html)); }

  void comparison(const Run& run) {
    const Findings& findings = report_.findings;
    std::string question = "To which class does a case belong (";
    for (std::size_t c = 0; c < run.classes.size() && c < 10; ++c) question += (c ? ", " : "") + escape(run.classes[c]);
    question += run.classes.size() > 10 ? ", …), judged from " : "), judged from ";
    for (std::size_t m = 0; m < run.modalities.size(); ++m) question += (m ? ", " : "") + escape(run.modalities[m]);
    fact("Asked", question + "?");
    fact("Tested", text(run.methods.size(), " methods on ", run.rows, " rows, ", escape(protocol_text(run)),
                        " (to learn from / to test on). Whatever is learned or chosen sees rows to learn from only."));
    const Summary& main = *leading(run, findings).front();
    const data::Interval& score = main.metrics[0];
    fact("How good", text(main.chosen ? "The fusion <strong>chosen on validation data</strong>: "
                                      : text("<strong>", escape(main.method), "</strong>: "),
                          escape(metric_title(run.metric)), " <strong>", fixed(score.estimate), "</strong> (",
                          percent(run.level), " interval ", span(score), ").", in_words(run.metric, score.estimate)));
    if (findings.paired) fusing(run, *findings.paired);
    fact("How sure",
         text(percent(main.error.estimate), " of the test cases are answered wrongly. If the ", percent(run.refer),
              " the method is least sure of are referred to somebody else, ", percent(main.referred_error.estimate),
              " of the rest are. Stated certainty and share of right answers differ by ",
              fixed(main.calibration_error.estimate, 2), " on average."));
  }

  void fusing(const Run& run, const data::Comparison& p) {
    const bool higher = data::metric(run.metric).higher_is_better;
    const std::string numbers = text("difference ", fixed(p.difference), ", ", percent(run.level), " interval ",
                                     span(p.low, p.high), ", p = ", fixed(p.p_value));
    const bool clear = p.low > 0 || p.high < 0;
    const char* verdict = !clear                         ? "no difference between them could be shown"
                          : (p.difference > 0) == higher ? "the fusion is better"
                                                         : "the fusion is worse";
    fact("Does fusing pay",
         text("Fusion chosen on validation data against ", escape(run.reference), ": ", verdict, " (", numbers, ")."));
  }

  void robustness(const Robustness& run) {
    for (const Curves& c : report_.curves) {
      if (c.kind != Disturbance::missing || !c.modality.empty() || c.gaps != Gaps::masks) continue;
      const std::vector<double>& levels = levels_of(c.kind);
      const std::size_t middle = levels.size() / 2;
      fact("If evidence is missing",
           text(escape(c.fusion), ": ", escape(metric_title(run.metrics.front())), ' ', fixed(c.at.front().estimate),
                " with all there is, ", fixed(c.at[middle].estimate),
                " when each modality is missing with a chance of ", percent(levels[middle]), "."));
      return;
    }
  }

  void model(const Trained& trained) {
    if (trained.test.empty()) return;
    const auto& [name, i] = trained.test.front();
    fact("The kept model",
         text("Fusion ", escape(trained.fusion), ", ", escape(metric_title(name)), ' ', fixed(i.estimate),
              " (95% interval ", span(i), ") on ", trained.test_rows, " rows it had not seen."));
  }

  void patients(const Explained& explained) {
    fact("Single patients", text("<a href=\"#patients\">", explained.patients.size(),
                                 " cards</a> say what the model answered, how reliable that is, and why."));
  }

  void warnings() {
    if (report_.run) of_comparison(*report_.run);
    if (report_.explained) of_patients(*report_.explained);
    beware(
        "These are figures of a model on the data named here, not advice on a patient; they do not replace the "
        "judgement of those who treat.");
  }

  void of_comparison(const Run& run) {
    const Findings& findings = report_.findings;
    const Summary& main = *leading(run, findings).front();
    if (run.splits < 5)
      beware(text("There were ", run.splits, run.splits == 1 ? " split" : " splits",
                  " only: intervals of so few are very wide, or cannot be had."));
    if (run.test_rows < 100)
      beware(
          text("Each split tests on ", run.test_rows, " rows only: figures vary much by chance, see the intervals."));
    const auto largest = std::ranges::max_element(run.class_rows);
    const double share = static_cast<double>(*largest) / static_cast<double>(std::max<std::int64_t>(1, run.rows));
    if (share >= 0.6)
      beware(text(percent(share), " of the rows are of class ",
                  escape(run.classes[static_cast<std::size_t>(largest - run.class_rows.begin())]),
                  ": always to answer that is right as often. Look at the balanced accuracy."));
    if (main.calibration_error.estimate >= 0.1)
      beware(text("Probabilities are off by ", fixed(main.calibration_error.estimate, 2),
                  " on average: do not read 0.9 as nine in ten without looking at the calibration."));
    const Part* weakest = nullptr;
    for (const Part& part : main.parts)
      if (part.rows >= 20 && (!weakest || part.accuracy < weakest->accuracy)) weakest = &part;
    if (weakest && weakest->accuracy < 1 - main.error.estimate - 0.1)
      beware(text("It is less often right for ", escape(weakest->name), ": ", percent(weakest->accuracy), " against ",
                  percent(1 - main.error.estimate), " of all."));
    if (run.parts.kind != "site" && run.parts.kind != "time")
      beware(
          "Rows to learn from and to test on come from the same collection: how it does at another place or later is "
          "not known from this.");
    if (chosen_row(findings))
      beware(text("Of ", run.methods.size(), " methods the best of the table is flattered by chance. The row \"",
                  escape(chosen_row(findings)->method), "\" is not: test rows had no part in that choice."));
  }

  void of_patients(const Explained& explained) {
    if (explained.agreement && explained.agreement->low < 0.5)
      beware(
          "Weights and Shapley values do not order the modalities alike: a large weight alone does not show that a "
          "modality moved the answer.");
    const auto made = std::ranges::count_if(
        explained.patients, [](const Patient& p) { return std::ranges::find(p.generated, true) != p.generated.end(); });
    if (made > 0)
      beware(text("For ", made, " patients some evidence was generated, not measured; their cards say which."));
  }

  const Report& report_;
  std::string facts_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::string summary_section(const Report& report) { return Writer(report).html(); }

}  // namespace weft::study
