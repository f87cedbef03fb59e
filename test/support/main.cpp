// SPDX-License-Identifier: MIT

// The entry point of every test program. Catch2 2 is compiled here; Catch2 3 comes with a library of its own.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

int main(int argc, char* argv[])
{
    return Catch::Session().run(argc, argv);
}
