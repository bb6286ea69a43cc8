#pragma once
#include <span>
#include <string>
#include <string_view>

/// Help for someone who mistyped a name, and patterns over names.
namespace weft {

/// The number of insertions, deletions, replacements and swaps of neighbours that turn a into b
/// (optimal string alignment), letters compared without case. Damerau (1964).
int edit_distance(std::string_view a, std::string_view b);

/// The name in `have` with the smallest edit distance to `wanted` (the first of equals); empty when `have` is.
std::string nearest(std::string_view wanted, std::span<const std::string> have);

/// The end of a message about an unknown name: `; the closest name is "tau"`, or `; there is none` when
/// `have` is empty.
std::string closest(std::string_view wanted, std::span<const std::string> have);

/// True when `name` matches `pattern`, in which * stands for any letters, ? for one, and the rest for itself.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace weft
