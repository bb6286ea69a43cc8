#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <weft/layers/module.h>
#include "arguments.h"

/// What the runners of cases about modules share.
namespace weft::tests {

/// The constructor arguments of a case ("config"), by PyTorch's names.
class Config {
 public:
  explicit Config(const Json& one_case);
  /// Whether it is given and not null.
  bool has(const std::string& name);
  /// Whether it is given as null, where that means something else than leaving it out.
  bool is_null(const std::string& name);
  /// Throws FileError when it is lacking.
  const Json& at(const std::string& name);
  template <class T>
  T get(const std::string& name) {
    return at(name).get<T>();
  }
  template <class T>
  T get(const std::string& name, T otherwise) {
    return has(name) ? at(name).get<T>() : otherwise;
  }
  /// Throws ConfigError for an argument that nobody asked for: the module would not be what the case means.
  void expect_all_read() const;

 private:
  Json all_;
  std::set<std::string> read_;
};

/// Fills the parameters and buffers of a module from the case's "state". Throws Mismatch for a name that only one of
/// the two has (a count of batches may be lacking) and for another shape. A case may name a safetensors file beside
/// its suite instead ("state_file"), which is loaded as users load theirs.
void load_state(const detail::Walk& walk, const Suite& suite, const Json& one_case);

/// Calls a module, its signature being for example "GCNConv(x, edge_index, edge_weight=None)", and compares outputs,
/// gradients of arguments and of parameters ("state_grads"), and the state afterwards ("state_after"). Throws Mismatch.
void check_module(const detail::Walk& walk, const Suite& suite, const Json& one_case, const char* signature,
                  const std::function<std::vector<Tensor>(const Args&)>& call);

template <class M>
Outcome run_module(M model, const Suite& suite, const Json& one_case, const char* signature,
                   const std::function<std::vector<Tensor>(const M&, const Args&)>& call) {
  const M& constant = model;
  check_module(detail::walk_of(model), suite, one_case, signature, [&](const Args& a) { return call(constant, a); });
  return Outcome::passed;
}

}  // namespace weft::tests
