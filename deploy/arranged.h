#pragma once
#include <any>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <weft/deploy/graph.h>

namespace weft::deploy {

/// What passes made of parameters: the plans of one program, one for each shape of its inputs, share it. One thread at
/// a time.
class Arranged {
 public:
  /// make(), or what it gave before for the same kind, constants (-1: left out) and numbers. Only constants that last
  /// from one capture to the next are remembered.
  template <class T, class Make>
  T of(const char* kind, const Graph& g, const std::vector<int>& constants, std::vector<std::int64_t> numbers,
       Make&& make) {
    std::vector<const void*> places;
    std::vector<Tensor> held;  // so that no other tensor gets its place
    for (const int v : constants) {
      if (v >= 0 && !g[v].lasting) return make();
      held.push_back(v < 0 ? Tensor() : g[v].constant);
      places.push_back(v < 0 ? nullptr : g[v].constant.body().data);
    }
    auto [at, fresh] = made_.try_emplace(Key{kind, std::move(places), std::move(numbers)});
    if (fresh) at->second = {std::move(held), std::any(T(make()))};
    return std::any_cast<T>(at->second.second);
  }

 private:
  using Key = std::tuple<std::string, std::vector<const void*>, std::vector<std::int64_t>>;
  std::map<Key, std::pair<std::vector<Tensor>, std::any>> made_;
};

}  // namespace weft::deploy
