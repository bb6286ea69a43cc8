// As standard.h, for the targets most of whose files read or write JSON.
#include "standard.h"

#include <fstream>

#include <nlohmann/json.hpp>
