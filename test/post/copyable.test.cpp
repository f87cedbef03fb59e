// SPDX-License-Identifier: MIT

#include <costar/post/copyable.hpp>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <support/catch.hpp>

namespace {

using only_moved = std::unique_ptr<int>;

struct plain {
    int number;
    double lanes[4];
};
struct words {
    std::string first;
    std::vector<std::string> others;
    std::map<std::string, std::optional<int>> table;
};
struct owner {
    only_moved owned;
};
struct claims {
    int number;
    std::vector<only_moved> owned;
};
struct claims_inside {
    words text;
    claims inner;
};
struct tree {
    std::string label;
    std::vector<tree> branches;
};
struct tree_of_owned {
    std::vector<only_moved> owned;
    std::vector<tree_of_owned> branches;
};
struct derived : words {
    int more;
};
struct derived_claims : claims {
    int more;
};
struct no_default {
    explicit no_default(int) {}
};
struct without_default {
    no_default first;
    std::vector<only_moved> owned;
    no_default last;
};
struct with_function {
    std::function<void()> call;
    std::shared_ptr<only_moved> shared;
};
class hidden {
public:
    hidden() = default;

private:
    std::vector<only_moved> owned_;
};

}  // namespace

template <>
inline constexpr bool costar::is_copyable<hidden> = false;

TEST_CASE("copyable: what can be copied is known to be", "[post][copyable]")
{
    using costar::is_copyable;
    STATIC_REQUIRE(is_copyable<int>);
    STATIC_REQUIRE(is_copyable<plain>);
    STATIC_REQUIRE(is_copyable<std::string>);
    STATIC_REQUIRE(is_copyable<words>);
    STATIC_REQUIRE(is_copyable<tree>);
    STATIC_REQUIRE(is_copyable<derived>);
    STATIC_REQUIRE(is_copyable<with_function>);
    STATIC_REQUIRE(is_copyable<std::array<std::string, 3>>);
    STATIC_REQUIRE(is_copyable<std::variant<int, std::string>>);
    STATIC_REQUIRE(is_copyable<std::shared_ptr<only_moved>>);
}

TEST_CASE("copyable: what only says so is seen through", "[post][copyable]")
{
    using costar::is_copyable;
    STATIC_REQUIRE(std::is_copy_constructible_v<claims>);
    STATIC_REQUIRE_FALSE(is_copyable<only_moved>);
    STATIC_REQUIRE_FALSE(is_copyable<owner>);
    STATIC_REQUIRE_FALSE(is_copyable<std::vector<only_moved>>);
    STATIC_REQUIRE_FALSE(is_copyable<std::optional<std::vector<only_moved>>>);
    STATIC_REQUIRE_FALSE(is_copyable<std::pair<int, std::vector<only_moved>>>);
    STATIC_REQUIRE_FALSE(is_copyable<std::map<int, std::vector<only_moved>>>);
    STATIC_REQUIRE_FALSE(is_copyable<claims>);
    STATIC_REQUIRE_FALSE(is_copyable<claims_inside>);
    STATIC_REQUIRE_FALSE(is_copyable<tree_of_owned>);
    STATIC_REQUIRE_FALSE(is_copyable<derived_claims>);
    STATIC_REQUIRE_FALSE(is_copyable<without_default>);
}

TEST_CASE("copyable: a type can be declared not to be", "[post][copyable]")
{
    STATIC_REQUIRE(std::is_copy_constructible_v<hidden>);
    STATIC_REQUIRE_FALSE(costar::is_copyable<hidden>);
}
