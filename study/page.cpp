#include <weft/study/page.h>

#include <algorithm>
#include <cmath>

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

std::string page(const std::string& title, const std::string& lead, const std::vector<Section>& sections) {
  std::string out = text(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n",
      page_style, "</style>\n<title>", escape(title), " – weft</title>\n</head>\n<body>\n<header>\n<h1>", escape(title),
      "</h1>\n<p class=\"soft\">", escape(lead), "</p>\n<nav aria-label=\"Sections\"><ul>");
  for (const Section& s : sections)
    if (!s.html.empty()) out += text("<li><a href=\"#", s.id, "\">", escape(s.title), "</a></li>");
  out += "</ul></nav>\n</header>\n<main>\n";
  for (const Section& s : sections)
    if (!s.html.empty())
      out += text("<section id=\"", s.id, "\" aria-labelledby=\"", s.id, "-title\">\n<h2 id=\"", s.id, "-title\">",
                  escape(s.title), "</h2>\n", s.html, "</section>\n");
  return out + text("</main>\n<script>\n", page_script, "</script>\n</body>\n</html>\n");
}

std::string open_table(const TableOptions& options) {
  // The caption is outside of what scrolls, so that it can be read without scrolling.
  std::string out =
      text("<p class=\"soft\">", escape(options.caption), "</p>\n<div class=\"wide", options.tall ? " tall" : "",
           "\" tabindex=\"0\" role=\"region\" aria-label=\"", escape(options.caption), "\"><table");
  if (!options.id.empty()) out += text(" id=\"", options.id, "\"");
  if (options.sortable) out += " data-sort";
  if (options.filter) out += " data-filter";
  out += ">\n<thead><tr>";
  for (std::size_t i = 0; i < options.header.size(); ++i)
    out += text("<th scope=\"col\"", i < options.left ? " class=\"left\"" : "",
                std::ranges::find(options.choices, i) != options.choices.end() ? " data-choice>" : ">",
                escape(options.header[i]), "</th>");
  return out + "</tr></thead>\n<tbody>\n";
}

std::string row(const std::vector<std::string>& cells, std::size_t left, bool chosen) {
  std::string out = chosen ? "<tr class=\"chosen\">" : "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i)
    out += i == 0 ? text("<th scope=\"row\">", cells[i], "</th>")
                  : text(i < left ? "<td class=\"left\">" : "<td>", cells[i], "</td>");
  return out + "</tr>\n";
}

std::string figure(const std::string& title, const std::vector<Line>& lines, PlotOptions options) {
  // Results may lack numbers, say where a metric cannot be computed: no picture then.
  if (std::ranges::none_of(lines, [](const Line& line) {
        return std::ranges::any_of(line.y, [](double v) { return std::isfinite(v); });
      }))
    return "";
  options.embedded = true;
  options.width = 360;
  options.height = 250;
  if (options.description.empty()) options.description = title;
  std::string out = text("<figure><figcaption>", escape(title), "</figcaption>\n", plot(lines, options));
  if (lines.size() > 1) {
    out += "<ul class=\"legend\">";
    for (std::size_t k = 0; k < lines.size(); ++k)
      out += text("<li>", plot_sample(k), ' ', escape(lines[k].name), "</li>");
    out += "</ul>";
  }
  return out + "</figure>\n";
}

std::string figures(const std::string& all) {
  return all.empty() ? "" : "<div class=\"figures\">\n" + all + "</div>\n";
}

std::string folded(const std::string& summary, const std::string& html) {
  return text("<details><summary>", escape(summary), "</summary>\n", html, "</details>\n");
}

std::string soft(const std::string& words) { return text("<p class=\"soft\">", escape(words), "</p>\n"); }

std::string percent(double share) {
  if (!std::isfinite(share)) return "–";
  const double rounded = std::round(100 * share);
  if (rounded >= 100 && share < 1) return ">99%";
  if (rounded <= 0 && share > 0) return "<1%";
  return text(std::lround(rounded), "%");
}

std::string span(double low, double high) { return fixed(low) + " to " + fixed(high); }
std::string span(const data::Interval& i) { return span(i.low, i.high); }

std::string bar(double value, bool both_sides) {
  const double from = both_sides ? 32 : 0, room = both_sides ? 32 : 64;
  const double length = room * std::min(1.0, std::abs(value));
  return text(
      "<svg class=\"bar\" width=\"64\" height=\"6\" viewBox=\"0 0 64 6\" preserveAspectRatio=\"none\" "
      "aria-hidden=\"true\"><rect width=\"64\" height=\"6\" fill=\"var(--line)\"/><rect x=\"",
      fixed(value < 0 ? from - length : from, 1), "\" width=\"", fixed(length, 1),
      "\" height=\"6\" fill=\"var(--mark)\"/></svg>");
}

}  // namespace weft::study
