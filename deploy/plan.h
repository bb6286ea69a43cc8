#pragma once
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <weft/deploy/graph.h>
#include <weft/deploy/memory.h>

/// A graph ready to run. Not for users: Program keeps one for each shape of its inputs.
namespace weft::deploy {

class Plan {
 public:
  /// Takes the graph over, and runs it once on `inputs` to lay out its memory.
  Plan(Graph graph, const std::vector<Tensor>& inputs);
  ~Plan();
  /// Throws Error when a parameter changed since. From several threads at once.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, MemoryPool& memory) const;
  const Graph& graph() const noexcept { return graph_; }
  const MemoryPlan& memory() const noexcept { return memory_; }

 private:
  struct Frame;  ///< what one run needs for itself
  struct Prepared {
    const Step* step;
    std::vector<int> frees;  ///< values that nobody reads after this step
  };
  std::vector<Tensor> execute(const std::vector<Tensor>& inputs, Frame& frame) const;
  std::unique_ptr<Frame> take() const;
  void give(std::unique_ptr<Frame> frame) const;

  Graph graph_;
  std::vector<Prepared> steps_;
  std::vector<std::pair<const Storage*, std::uint32_t>> versions_;  ///< of the parameters
  MemoryPlan memory_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Frame>> frames_;  ///< not in use
};

}  // namespace weft::deploy
