// SPDX-License-Identifier: MIT

#include <costar/post/call_operators.hpp>

#include <concepts>
#include <string>

#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;

namespace {

struct tick {};
struct question {
    using reply = int;
};
struct letter {
    std::string text;
};

struct worker {
    void operator()(tick) {}
    int operator()(const question&) const { return 42; }
    void operator()(context&, letter&& sent) { last = std::move(sent); }
    letter last;
};

struct lists {
    using messages = message_list<letter, tick>;
    template <class Message>
    void operator()(const Message&)
    {}
};

struct nothing_to_call {};

template <class List, class Message>
constexpr bool holds = false;
template <class... Listed, class Message>
constexpr bool holds<message_list<Listed...>, Message> = (std::same_as<Listed, Message> || ...);

}  // namespace

TEST_CASE("call_operators: finds the messages of all operators, with and without a context", "[post]")
{
    using found = messages_of<worker>::type;

    CHECK(list_size<found> == 3);
    CHECK(holds<found, tick>);
    CHECK(holds<found, question>);
    CHECK(holds<found, letter>);
    CHECK(handles_alone<worker, tick>);
    CHECK_FALSE(handles_with_context<worker, tick>);
    CHECK(handles_with_context<worker, letter>);
    CHECK_FALSE(handles<worker, std::string>);
}

TEST_CASE("call_operators: a class may list its messages, and one without operators is no actor's", "[post]")
{
    CHECK(std::same_as<messages_of<lists>::type, message_list<letter, tick>>);
    CHECK(actor_class<worker>);
    CHECK(actor_class<lists>);
    CHECK_FALSE(actor_class<nothing_to_call>);
    CHECK_FALSE(actor_class<question>);
}
