// As tests.h, with the test framework.
#include "tests.h"

#include <doctest/doctest.h>
