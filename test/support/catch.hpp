// SPDX-License-Identifier: MIT

// The one include of Catch2 for all tests. Version 2 is one large header, version 3 has a header per part.
// Tests use what both offer: TEST_CASE, SECTION, GENERATE, CHECK and REQUIRE and their kin, and of
// Catch::Matchers the ones named StartsWith, EndsWith, Equals and Message.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
