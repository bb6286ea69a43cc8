#include <weft/deploy/describe.h>

#include <algorithm>
#include <array>

#include <weft/tensor/error.h>

namespace weft::deploy {
namespace {

std::size_t bytes_of(const Value& v) { return static_cast<std::size_t>(v.shape.product()) * size_of(v.dtype); }

/// 1536 -> "1.5 KiB".
std::string size_text(double bytes) {
  static constexpr std::array units{"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  const std::int64_t tenths = static_cast<std::int64_t>(bytes * 10 + 0.5);
  return unit == 0 || tenths % 10 == 0 ? text(tenths / 10, ' ', units[unit])
                                       : text(tenths / 10, '.', tenths % 10, ' ', units[unit]);
}

/// 73400000 -> "73.4".
std::string millions(double flops) {
  const auto tenths = static_cast<std::int64_t>(flops / 1e5 + 0.5);
  return text(tenths / 10, '.', tenths % 10);
}

/// What a step does: its name, or those of the calls that became one.
std::string title(const Step& s) {
  if (s.parts.empty()) return s.name;
  std::string all;
  for (const std::string& part : s.parts) all += (all.empty() ? "" : " + ") + part;
  return s.name == "elementwise" ? "elementwise: " + all : all;
}

/// The names of the parameters that a step uses.
std::string parameters(const Graph& g, const Step& s) {
  std::string all;
  const auto add = [&](const std::string& name) { all += (all.empty() ? "" : ", ") + name; };
  if (const AttributeValue* weight = s.attribute("weight")) add(std::get<std::string>(*weight));
  for (const int v : s.inputs)
    if (v >= 0 && g.is_constant(v) && !g[v].name.empty()) add(g[v].name);
  return all;
}

std::string escaped(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string describe(const Graph& g, const MemoryPlan& memory) {
  std::vector<std::array<std::string, 6>> rows{{"step", "operation", "result", "bytes", "MFLOP", "parameters"}};
  std::size_t calls = 0, packed = 0, moved = 0;
  double flops = 0;
  for (std::size_t i = 0; i < g.steps.size(); ++i) {
    const Step& s = g.steps[i];
    calls += std::max<std::size_t>(s.parts.size(), 1);
    packed += s.packed;
    std::string shapes;
    std::size_t bytes = 0;
    for (const int v : s.outputs) {
      shapes += text(shapes.empty() ? "" : " ", g[v].shape);
      bytes += bytes_of(g[v]);
    }
    moved += bytes;
    rows.push_back(
        {text(i), title(s), shapes, size_text(static_cast<double>(bytes)), millions(s.flops), parameters(g, s)});
    flops += s.flops;
  }
  std::array<std::size_t, 6> width{};
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string pad(width[c] - row[c].size(), ' ');
      const bool right = c == 0 || c == 3 || c == 4;
      line += (c ? "  " : "") + (right ? pad + row[c] : row[c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  out += text(calls, " calls in ", g.steps.size(), " steps; ", millions(flops), " MFLOP; results ",
              size_text(static_cast<double>(moved)), ", in one block of ", size_text(static_cast<double>(memory.bytes)),
              "; arranged weights ", size_text(static_cast<double>(packed)), '\n');
  return out;
}

std::string draw(const Graph& g) {
  std::string out = "digraph program {\n  node [shape=box, fontname=\"sans-serif\"];\n";
  std::vector<std::string> from(g.values.size());
  for (std::size_t i = 0; i < g.inputs.size(); ++i) {
    from[static_cast<std::size_t>(g.inputs[i])] = text("in", i);
    out += text("  in", i, " [label=\"input ", i, "\\n", g[g.inputs[i]].shape, "\", shape=ellipse];\n");
  }
  for (std::size_t i = 0; i < g.steps.size(); ++i) {
    const Step& s = g.steps[i];
    const std::string names = parameters(g, s);
    out += text("  s", i, " [label=\"", escaped(title(s)), names.empty() ? "" : "\\n" + escaped(names), "\"];\n");
    for (const int v : s.inputs)
      if (v >= 0 && !from[static_cast<std::size_t>(v)].empty())
        out += text("  ", from[static_cast<std::size_t>(v)], " -> s", i, " [label=\"", g[v].shape, "\"];\n");
    for (const int v : s.outputs) from[static_cast<std::size_t>(v)] = text('s', i);
  }
  for (std::size_t i = 0; i < g.outputs.size(); ++i) {
    const std::string& source = from[static_cast<std::size_t>(g.outputs[i])];
    out += text("  out", i, " [label=\"output ", i, "\\n", g[g.outputs[i]].shape, "\", shape=ellipse];\n");
    if (!source.empty()) out += text("  ", source, " -> out", i, ";\n");
  }
  return out + "}\n";
}

}  // namespace weft::deploy
