#include <cmath>

#include <nlohmann/json.hpp>

#include <weft/show/plot.h>
#include <weft/study/output.h>
#include <weft/study/report.h>
#include <weft/study/robustness.h>

namespace weft::study {
using namespace show;

namespace {

using Json = nlohmann::ordered_json;

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

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json interval(const data::Interval& i) {
  return {{"mean", number(i.estimate)}, {"low", number(i.low)}, {"high", number(i.high)}};
}

}  // namespace

std::string to_json(const Robustness& run, const std::vector<Curves>& curves) {
  Json out{{"weft", run.version},
           {"study", run.study},
           {"title", run.title},
           {"seed", run.seed},
           {"modalities", run.modalities},
           {"protocol",
            {{"splits", run.splits},
             {"train_rows", run.train_rows},
             {"test_rows", run.test_rows},
             {"level", run.level},
             {"metric", run.metrics.front()},
             {"training_rows_lack_as_much", run.train_missing}}},
           {"curves", Json::array()}};
  for (const Curves& c : curves) {
    Json line{{"disturbance", name_of(c.kind)}, {"fusion", c.fusion}, {"gaps", name_of(c.gaps)}};
    if (!c.modality.empty()) line["modality"] = c.modality;
    line["levels"] = levels_of(c.kind);
    for (const data::Interval& i : c.at) line[run.metrics.front()].push_back(interval(i));
    line["area"] = interval(c.area);
    for (std::size_t k = 0; k < c.other_areas.size(); ++k)
      line["other_areas"][run.metrics[k + 1]] = number(c.other_areas[k]);
    if (c.paired)
      line["paired"] = {{"reference", c.reference},       {"reference_minus_it", number(c.paired->difference)},
                        {"low", number(c.paired->low)},   {"high", number(c.paired->high)},
                        {"p", number(c.paired->p_value)}, {"test", "corrected resampled t (Nadeau & Bengio 2003)"}};
    out["curves"].push_back(std::move(line));
  }
  return out.dump(1) + '\n';
}

std::string to_csv(const Robustness& run) {
  std::string out = "split,disturbance,fusion,gaps,modality,level,metric,score\n";
  for (const Course& c : run.courses)
    for (std::size_t k = 0; k < run.metrics.size(); ++k)
      for (std::size_t l = 0; l < c.scores[k].size(); ++l)
        out +=
            text(c.split + 1, ',', name_of(c.kind), ',', c.fusion, ',', name_of(c.gaps), ',', csv_field(c.modality),
                 ',', Json(levels_of(c.kind)[l]).dump(), ',', run.metrics[k], ',', Json(c.scores[k][l]).dump(), '\n');
  return out;
}

std::string checkpoint_json(const std::vector<Course>& courses, const std::string& fingerprint) {
  Json out{{"weft_robustness_checkpoint", 1}, {"of", fingerprint}, {"courses", Json::array()}};
  for (const Course& c : courses)
    out["courses"].push_back(
        {c.split, c.fusion, static_cast<int>(c.gaps), static_cast<int>(c.kind), c.modality, c.scores});
  return out.dump() + '\n';
}

std::vector<Course> read_courses(const std::string& json, const std::string& fingerprint, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("weft_robustness_checkpoint") || !in.contains("of") || !in.contains("courses"))
    throw FileError(text("resume: ", path, " is not a whole checkpoint\n  help: delete it to start anew"));
  if (in["of"] != fingerprint)
    throw ConfigError(text("resume: ", path,
                           " is of another study file, seed, number of splits, version or other data\n"
                           "  help: run without --resume to start anew"));
  std::vector<Course> courses;
  try {
    for (const Json& c : in["courses"])
      courses.push_back({c.at(0).get<std::int64_t>(), c.at(1).get<std::string>(),
                         static_cast<Gaps>(c.at(2).get<std::uint8_t>()),
                         static_cast<Disturbance>(c.at(3).get<std::uint8_t>()), c.at(4).get<std::string>(),
                         c.at(5).get<std::vector<std::vector<double>>>()});
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("resume: ", path, " is damaged\n  help: delete it to start anew"));
  }
  return courses;
}

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

std::string html_report(const Robustness& run, const std::vector<Curves>& curves) {
  std::string out = text(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n"
      "body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1rem; }\n"
      "div { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
      "th, td { padding: .3rem .6rem; border-bottom: 1px solid #d1d9e0; text-align: right; white-space: nowrap; }\n"
      "th:first-child { text-align: left; } svg { max-width: 100%; height: auto; }\n</style>\n<title>",
      escape(run.title), " – robustness – weft</title>\n</head>\n<body>\n<h1>", escape(run.title), "</h1>\n<p>",
      escape(how(run)), ". ", metric_title(run.metrics.front()), " per level. ", explanation, "</p>\n");
  const auto images = pictures(run, curves);
  const std::vector<Chapter> parts = parts_of(curves);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    out +=
        text("<h2>", escape(parts[p].title), "</h2>\n", images[p].second, "<div tabindex=\"0\"><table>\n<thead><tr>");
    for (const std::string& cell : header_of(run, parts[p])) out += "<th scope=\"col\">" + escape(cell) + "</th>";
    out += "</tr></thead>\n<tbody>\n";
    for (const Curves* c : parts[p].curves) {
      const std::vector<std::string> cells = cells_of(*c);
      out += "<tr><th scope=\"row\">" + escape(cells[0]) + "</th>";
      for (std::size_t i = 1; i < cells.size(); ++i) out += "<td>" + escape(cells[i]) + "</td>";
      out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
  }
  return out + "</body>\n</html>\n";
}

}  // namespace weft::study
