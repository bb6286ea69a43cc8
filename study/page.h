#pragma once
#include <string>
#include <vector>

#include <weft/data/statistics.h>
#include <weft/show/plot.h>

/// The skeleton of every page that weft writes: its head, styles and script, and the parts that sections are made of.
/// A page is one file that asks the network for nothing, reads on a phone, prints, and works without its script.
namespace weft::study {

/// Text as HTML shows it.
std::string escape(const std::string& s);

/// A part of a page under a heading of its own; `id` is what links lead to.
struct Section {
  std::string id, title, html;
};
/// The whole page: its title, a line below it, links to the sections, the sections. Sections without html are left out.
std::string page(const std::string& title, const std::string& lead, const std::vector<Section>& sections);

struct TableOptions {
  std::string caption;                    ///< above the table, in plain words
  std::vector<std::string> header;        ///< one per column
  std::size_t left = 1;                   ///< the first columns, which hold words; the others hold numbers
  bool sortable = false;                  ///< the script puts a button into each head
  bool filter = false;                    ///< the script puts a field above that filters rows
  std::vector<std::size_t> choices = {};  ///< columns that get a list of their values to filter by
  std::string id = {};
  bool tall = false;  ///< many rows: the table scrolls in a box of its own
};
/// Opens a table that scrolls sideways on a narrow screen, and by keyboard too. Its rows follow, then close_table.
std::string open_table(const TableOptions& options);
inline constexpr const char* close_table = "</tbody></table></div>\n";
/// A row of cells, the first one its head; cells are HTML. The first `left` hold words.
std::string row(const std::vector<std::string>& cells, std::size_t left = 1, bool chosen = false);

/// A picture with a title, its lines explained in words below; empty when there is no number to draw; `options` get an
/// embedded plot's size.
std::string figure(const std::string& title, const std::vector<show::Line>& lines, show::PlotOptions options);
/// Several figures beside each other where there is room.
std::string figures(const std::string& all);
/// What is folded away until it is asked for.
std::string folded(const std::string& summary, const std::string& html);
std::string soft(const std::string& words);  ///< a paragraph in smaller type; escapes

std::string percent(double share);  ///< 0.873 -> "87%"; 0 and 1 only when it is exactly so
std::string span(double low, double high);
std::string span(const data::Interval& i);
/// A bar for a value in [0, 1], or for one in [-1, 1] from the middle to either side, with no words of its own: a
/// number stands beside it.
std::string bar(double value, bool both_sides = false);

// ---- page_style.cpp, page_script.cpp
extern const char* const page_style;
extern const char* const page_script;

}  // namespace weft::study
