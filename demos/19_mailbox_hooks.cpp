// SPDX-License-Identifier: MIT

// What happens at a mailbox: a message put in, taken out, the last one taken.
//
// Run:     build/demos/19_mailbox_hooks
// Prints:  how full the mailbox of an actor was when, and how often it became empty.
// Teaches: the same middleware has hooks for the mailbox; a priority decides who is taken first.

#include <costar/actor/engine.hpp>
#include <costar/kernel/middleware.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string>

struct order {
    std::string dish;
    bool is_urgent = false;
    int priority() const { return is_urgent ? 7 : 4; }
};

class gauge : public costar::middleware {
public:
    void posted(costar::context&, std::string_view type, std::size_t size) noexcept override
    {
        fmt::print("{} posted, {} wait\n", type, size);
    }
    void emptied(costar::context&) noexcept override { fmt::print("empty\n"); }
};

costar::task<> kitchen(costar::context& self)
{
    while (auto message = co_await self.receive())
        message.match([](order& m) { fmt::print("cooks {}\n", m.dish); });
}

costar::task<> waiter(costar::context& self)
{
    const auto to = self.spawn(
        "kitchen", {.mailbox = {.by_priority = true}, .middleware = {std::make_shared<gauge>()}}, kitchen);
    for (const char* dish : {"soup", "fish"})
        self.send(to, order{dish});
    self.send(to, order{"cake for the mayor", true});
    co_await self.poison(to);
}

int main()
{
    costar::engine engine({.strands = 1});
    engine.wait(engine.spawn("waiter", waiter), boost::asio::use_future).get();
}
