// Entry point of the Catch2 programs; no tests here.
#if __has_include(<catch2/catch.hpp>)
#define CATCH_CONFIG_MAIN
#include "support/catch.h"
#else
#include <catch2/catch_session.hpp>
int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
#endif
