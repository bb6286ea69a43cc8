#pragma once
#include <string>

#include <weft/deploy/graph.h>
#include <weft/deploy/memory.h>

namespace weft::deploy {

/// A table of the steps: what each does, what it gives, whose weights it uses; then totals.
std::string describe(const Graph& graph, const MemoryPlan& memory);
/// The graph in Graphviz's language.
std::string draw(const Graph& graph);

}  // namespace weft::deploy
