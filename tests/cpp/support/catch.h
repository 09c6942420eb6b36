// The only include of Catch2, so that the 2.x and 3.x header names are known in one place.
#pragma once

#if __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
#endif
