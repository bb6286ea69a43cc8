#pragma once
#include <string>

#include <weft/study/command_line.h>

/// `weft completion`: what shells complete, made from the description of the command line.
namespace weft::study {

/// For bash: `source <(weft completion bash)`.
std::string bash_completion(const CommandText& weft);
/// For zsh: a file _weft in a folder of $fpath.
std::string zsh_completion(const CommandText& weft);

}  // namespace weft::study
