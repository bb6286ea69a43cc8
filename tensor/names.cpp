#include <weft/tensor/names.h>

#include <algorithm>
#include <vector>

namespace weft {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  const std::size_t n = a.size(), m = b.size();
  // Three rows of the table suffice: a swap looks back two.
  std::vector<int> before(m + 1), previous(m + 1), current(m + 1);
  for (std::size_t j = 0; j <= m; ++j) previous[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= n; ++i) {
    current[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= m; ++j) {
      const char x = lower(a[i - 1]), y = lower(b[j - 1]);
      int best = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (x == y ? 0 : 1)});
      if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y) best = std::min(best, before[j - 2] + 1);
      current[j] = best;
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[m];
}

std::string nearest(std::string_view wanted, std::span<const std::string> have) {
  const std::string* best = nullptr;
  int smallest = 0;
  for (const std::string& name : have) {
    const int distance = edit_distance(wanted, name);
    if (!best || distance < smallest) {
      best = &name;
      smallest = distance;
    }
  }
  return best ? *best : std::string();
}

std::string closest(std::string_view wanted, std::span<const std::string> have) {
  if (have.empty()) return "; there is none";
  return "; the closest name is \"" + nearest(wanted, have) + "\"";
}

bool matches(std::string_view pattern, std::string_view name) {
  // Greedy with one point of return, the last star: linear in practice, never exponential.
  std::size_t p = 0, n = 0, star = std::string_view::npos, retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace weft
