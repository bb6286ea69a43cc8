#include <cmath>
#include <functional>

#include <weft/show/plot.h>
#include <weft/study/report_sections.h>
#include <weft/study/robustness.h>

namespace weft::study {
using namespace show;

namespace {

/// The curves of one disturbance, or of its form for single modalities: what belongs into one table.
struct Chapter {
  Disturbance kind;
  bool single;  ///< of one modality at a time
  std::string title, axis;
  std::vector<const Curves*> curves;
};

std::vector<Chapter> parts_of(const std::vector<Curves>& curves) {
  std::vector<Chapter> parts = {
      {Disturbance::missing, false, "Any modality missing, never a row's last one", "chance of each to be missing", {}},
      {Disturbance::missing, true, "One modality missing", "share of rows that lack it", {}},
      {Disturbance::noise, true, "One modality noised", "deviation of the noise, in those of the features", {}},
      {Disturbance::conflict, false, "Any one modality from another class", "share of rows", {}},
      {Disturbance::conflict, true, "One modality from another class", "share of rows", {}}};
  for (Chapter& part : parts)
    for (const Curves& c : curves)
      if (c.kind == part.kind && c.modality.empty() != part.single) part.curves.push_back(&c);
  std::erase_if(parts, [](const Chapter& part) { return part.curves.empty(); });
  return parts;
}

std::string name_of(const Curves& c) {
  std::string name = c.fusion;
  // Only where modalities are taken away does it matter what stands in gaps.
  if (c.kind == Disturbance::missing && c.modality.empty()) name += text(", ", name_of(c.gaps));
  return c.modality.empty() ? name : text(c.modality, ": ", name);
}

std::string span(double low, double high) { return fixed(low) + " to " + fixed(high); }

std::vector<std::string> header_of(const Robustness& run, const Chapter& part) {
  std::vector<std::string> header = {part.title};
  for (const double level : levels_of(part.kind)) header.push_back(text(level));
  header.insert(header.end(), {"area", text(std::lround(run.level * 100), "% interval")});
  for (std::size_t k = 1; k < run.metrics.size(); ++k) header.push_back(metric_title(run.metrics[k]));
  header.insert(header.end(), {"reference minus it", "p"});
  return header;
}

std::vector<std::string> cells_of(const Curves& c) {
  std::vector<std::string> cells = {name_of(c)};
  for (const data::Interval& i : c.at) cells.push_back(fixed(i.estimate));
  cells.insert(cells.end(), {fixed(c.area.estimate), span(c.area.low, c.area.high)});
  for (const double other : c.other_areas) cells.push_back(fixed(other));
  if (c.paired)
    cells.insert(cells.end(), {text(fixed(c.paired->difference), " (", span(c.paired->low, c.paired->high), ")"),
                               fixed(c.paired->p_value, 4)});
  else
    cells.insert(cells.end(), {"", ""});
  return cells;
}

std::string how(const Robustness& run) {
  return text(run.splits, " splits ", run.train_rows, "/", run.test_rows, ", seed ", run.seed, "; ",
              run.train_missing ? "training rows lack as much as test rows" : "training rows are as they are");
}

constexpr const char* explanation =
    "Areas are means over the levels by the trapezoid rule. Ways to fill gaps are compared with masks of the same "
    "fusion, and fusions with the first one (reference), by the corrected resampled t (Nadeau and Bengio 2003).";

}  // namespace

std::string text_report(const Robustness& run, const std::vector<Curves>& curves, const Style& style) {
  std::string out = text(style.bold(run.title), '\n', how(run), "\n", metric_title(run.metrics.front()),
                         ", and areas of the other metrics\n");
  for (const Chapter& part : parts_of(curves)) {
    TextTable table(header_of(run, part));
    for (const Curves* c : part.curves) table.row(cells_of(*c));
    out += '\n' + table.str(style);
  }
  return out + '\n' + explanation + '\n';
}

std::vector<std::pair<std::string, std::string>> pictures(const Robustness& run, const std::vector<Curves>& curves) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Chapter& part : parts_of(curves)) {
    std::vector<Line> lines;
    for (const Curves* c : part.curves) {
      lines.push_back({name_of(*c), {}, levels_of(part.kind)});
      for (const data::Interval& i : c->at) lines.back().y.push_back(i.estimate);
    }
    out.emplace_back(text("robustness_", name_of(part.kind), part.single ? "_of_one" : "", ".svg"),
                     plot(lines, {.title = part.title, .x_label = part.axis, .y_label = metric_title(run.metrics[0])}));
  }
  return out;
}

namespace {

/// One picture of some curves of a chapter; empty when there are none.
std::string drawn(const Robustness& run, const Chapter& part, const std::string& title,
                  const std::function<bool(const Curves&)>& belongs,
                  const std::function<std::string(const Curves&)>& name) {
  std::vector<Line> lines;
  std::string said = text(part.title, ", ", title, '.');
  for (const Curves* c : part.curves) {
    if (!belongs(*c)) continue;
    Line line{name(*c), {}, levels_of(part.kind)};
    for (const data::Interval& i : c->at) {
      line.y.push_back(i.estimate);
      line.low.push_back(i.low);
      line.high.push_back(i.high);
    }
    said += text(' ', line.name, ": ", fixed(line.y.front()), " to ", fixed(line.y.back()), '.');
    lines.push_back(std::move(line));
  }
  if (lines.empty()) return "";
  return figure(title, lines, {.x_label = part.axis, .y_label = metric_title(run.metrics[0]), .description = said});
}

/// The curves of a chapter in pictures of few lines: one for each modality, for each fusion with its ways to fill gaps,
/// or one for all fusions.
std::string drawn(const Robustness& run, const Chapter& part) {
  std::string out;
  const auto fusion = [](const Curves& c) { return c.fusion; };
  if (part.single) {
    for (const std::string& m : run.modalities)
      out += drawn(
          run, part, m, [&](const Curves& c) { return c.modality == m; }, fusion);
  } else if (part.kind == Disturbance::missing) {
    for (const std::string& f : run.fusions)
      out += drawn(
          run, part, f, [&](const Curves& c) { return c.fusion == f; },
          [](const Curves& c) { return std::string(name_of(c.gaps)); });
  } else {
    out = drawn(
        run, part, "all fusions", [](const Curves&) { return true; }, fusion);
  }
  return figures(out);
}

}  // namespace

std::string robustness_section(const Robustness& run, const std::vector<Curves>& curves) {
  std::string out = text("<p>", escape(how(run)), ". ", escape(metric_title(run.metrics.front())),
                         " per level, with intervals. ", explanation, "</p>\n");
  for (const Chapter& part : parts_of(curves)) {
    std::string rows;
    for (const Curves* c : part.curves) {
      std::vector<std::string> cells = cells_of(*c);
      for (std::string& cell : cells) cell = escape(cell);
      rows += row(cells);
    }
    out += text("<h3>", escape(part.title), "</h3>\n", drawn(run, part),
                folded("In numbers", open_table({.caption = text(metric_title(run.metrics.front()), " by ", part.axis),
                                                 .header = header_of(run, part),
                                                 .sortable = true}) +
                                         rows + close_table));
  }
  return out;
}

std::string html_report(const Robustness& run, const std::vector<Curves>& curves) {
  Report report;
  report.robustness = run;
  report.curves = curves;
  return html_report(report);
}

}  // namespace weft::study
