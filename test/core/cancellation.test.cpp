// SPDX-License-Identifier: MIT

#include <costar/core/cancellation.hpp>

#include <support/catch.hpp>
#include <support/manual_strand.hpp>

#include <memory>
#include <string>
#include <vector>

namespace {

using costar::machine::cancel_hook;
using costar::machine::child_scope;
using costar::machine::root_scope;
using support::manual_strands;

/// Notes its number when it is cancelled.
class waiting : public cancel_hook {
public:
    waiting(int number, std::vector<int>& order) : cancel_hook(actions), number_(number), order_(order) {}

private:
    static const costar::machine::hook_actions actions;

    int number_;
    std::vector<int>& order_;
};

const costar::machine::hook_actions waiting::actions{.cancel =
                                                         [](cancel_hook& hook) noexcept {
                                                             auto& self = static_cast<waiting&>(hook);
                                                             self.order_.push_back(self.number_);
                                                         },
    .describe =
        [](const cancel_hook& hook) {
            return "number " + std::to_string(static_cast<const waiting&>(hook).number_);
        }};

}  // namespace

TEST_CASE("cancellation: a scope cancels what waits in it once, newest first", "[core][cancellation]")
{
    manual_strands strands;
    root_scope scope(strands[0]);
    std::vector<int> order;
    waiting first(1, order);
    waiting second(2, order);
    waiting third(3, order);
    for (waiting* each : {&first, &second, &third})
        scope.attach(*each);
    second.detach();
    CHECK_FALSE(second.is_attached());

    scope.cancel();
    scope.cancel();

    CHECK(scope.is_cancelled());
    CHECK(order == std::vector<int>{3, 1});
    CHECK_FALSE(first.is_attached());
}

TEST_CASE(
    "cancellation: a hook leaves its scope when it is destroyed, a scope its hooks", "[core][cancellation]")
{
    manual_strands strands;
    std::vector<int> order;

    SECTION("hook first")
    {
        root_scope scope(strands[0]);
        {
            waiting gone(1, order);
            scope.attach(gone);
        }
        scope.cancel();
    }
    SECTION("scope first")
    {
        waiting left(1, order);
        {
            root_scope scope(strands[0]);
            scope.attach(left);
        }
        CHECK_FALSE(left.is_attached());
    }

    CHECK(order.empty());
}

TEST_CASE("cancellation: it passes from parent to child and not back", "[core][cancellation]")
{
    manual_strands strands;
    root_scope root(strands[0]);
    child_scope child(root);
    child_scope sibling(root);
    costar::machine::scope& middle = child;
    child_scope grandchild(middle);
    std::vector<int> order;
    waiting inner(1, order);
    grandchild.attach(inner);
    CHECK(&grandchild.root() == &root);

    SECTION("from the root")
    {
        root.cancel();
        CHECK(sibling.is_cancelled());
    }
    SECTION("from the child")
    {
        child.cancel();
        CHECK_FALSE(root.is_cancelled());
        CHECK_FALSE(sibling.is_cancelled());
    }

    CHECK(grandchild.is_cancelled());
    CHECK(order == std::vector<int>{1});
}

TEST_CASE("cancellation: the child of a cancelled parent is born cancelled", "[core][cancellation]")
{
    manual_strands strands;
    root_scope root(strands[0]);
    root.cancel();

    const child_scope child(root);

    CHECK(child.is_cancelled());
}

TEST_CASE("cancellation: a shielded child is not cancelled with its parent", "[core][cancellation]")
{
    manual_strands strands;
    root_scope root(strands[0]);
    child_scope shielded(root, true);

    root.cancel();
    child_scope late(root, true);

    CHECK_FALSE(shielded.is_cancelled());
    CHECK_FALSE(late.is_cancelled());
    CHECK(&late.root() == &root);
}

TEST_CASE("cancellation: a scope says what waits in it", "[core][cancellation]")
{
    manual_strands strands;
    root_scope root(strands[0]);
    child_scope child(root);
    std::vector<int> order;
    waiting first(1, order);
    waiting second(2, order);
    std::vector<std::string> lines;
    const auto collect = [&] {
        lines.clear();
        root.for_each_waiting([&](const cancel_hook& hook) { lines.push_back(hook.describe()); });
        return lines;
    };

    CHECK(collect() == std::vector<std::string>{"its branch to go on"});
    child.attach(first);
    child.attach(second);
    CHECK(collect() == std::vector<std::string>{"number 2, number 1"});
}
