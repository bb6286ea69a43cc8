#pragma once
#include <functional>
#include <string>

/// What a user should know though nothing failed: what was asked for cannot be had here, and goes another way.
namespace weft {

/// Hands a line to the handler; without one it goes to stderr. The library warns of one thing once per process.
void warn(const std::string& line);
/// Takes all warnings from now on, from any thread; an empty one restores stderr.
void set_warning_handler(std::function<void(const std::string&)> handler);

}  // namespace weft
