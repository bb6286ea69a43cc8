#include <cmath>

#include <weft/study/report_sections.h>

namespace weft::study {
using namespace show;
namespace {

std::vector<double> share_of_first(const std::vector<double>& loss) {
  std::vector<double> out;
  for (const double v : loss) out.push_back(v / loss.front());
  return out;
}

std::string learning_curve(const std::string& method, const Curve& curve) {
  if (curve.train_loss.empty() || curve.validation_loss.empty()) return "";
  const std::string said =
      text("Learning curve of ", method, " over ", curve.train_loss.size(), " epochs: training loss from ",
           fixed(curve.train_loss.front()), " to ", fixed(curve.train_loss.back()), ", validation loss from ",
           fixed(curve.validation_loss.front()), " to ", fixed(curve.validation_loss.back()));
  // What a fusion adds to its training loss would press the other curve flat: each is drawn against its own beginning.
  return figure(
      method,
      {{text("training, from ", fixed(curve.train_loss.front(), 2)), share_of_first(curve.train_loss), {}},
       {text("validation, from ", fixed(curve.validation_loss.front(), 2)), share_of_first(curve.validation_loss), {}}},
      {.x_label = "epoch", .y_label = "loss / that of epoch 1", .description = said});
}

}  // namespace

std::string curves_section(const Report& report) {
  if (!report.run) return "";
  std::string all;
  for (const Record& r : report.run->records)
    if (r.split == 0 && r.seed == 0) all += learning_curve(r.method, r.curve);
  if (all.empty()) return "";
  return soft(
             "Loss by epoch on the first split, as a share of that of the first epoch. Training: with what a fusion "
             "adds "
             "to its loss. Validation: log-loss of the training rows that were held out; where it rises, training "
             "stops, and the network of the best epoch is kept.") +
         figures(all);
}

std::string model_section(const Trained& trained) {
  std::string out = text("<p>Fusion <strong>", escape(trained.fusion), "</strong>, trained on ", trained.train_rows,
                         " rows and judged on ", trained.test_rows, " others, seed ", trained.seed, ".");
  for (const auto& [name, value] : trained.selected) out += text(' ', escape(name), " = ", value, " was selected.");
  out += "</p>\n" + open_table({.caption = "On its test rows; bootstrap intervals of 95%",
                                .header = {"Metric", "value", "interval"}});
  for (const auto& [name, interval] : trained.test)
    out += row({escape(metric_title(name)), fixed(interval.estimate), span(interval)});
  return out + close_table + figures(learning_curve("Learning curve of " + trained.fusion, trained.curve));
}

}  // namespace weft::study
