#pragma once
#include <string>

#include <weft/study/command_line.h>

namespace weft::study {

/// The manual page weft(1) as troff, with the man macros, made from the description of the command line.
std::string manual(const CommandText& weft);

}  // namespace weft::study
