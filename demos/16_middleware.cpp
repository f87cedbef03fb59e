// SPDX-License-Identifier: MIT

// One place for what concerns many actors: a log of their lives, and a limit to who may be told what.
//
// Run:     build/demos/16_middleware
// Prints:  the life of an actor and of its child, each message, and one that was kept away.
// Teaches: middleware sees starts, messages in and out, and ends; children inherit it when it says so.

#include <costar/actor/engine.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/post/outgoing.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <string>

struct letter {
    std::string text;
};

class diary : public costar::middleware {
public:
    void started(costar::context& self) override { fmt::print("{}: started\n", self.name()); }
    bool receiving(costar::context& self, costar::message& taken) override
    {
        fmt::print("{}: receives a {}\n", self.name(), taken.type_name());
        return true;
    }
    bool sending(costar::context& self, costar::outgoing& sent) override
    {
        fmt::print("{}: sends a {}\n", self.name(), sent.type_name());
        return true;
    }
    void stopped(costar::context& self) noexcept override { fmt::print("{}: stopped\n", self.name()); }
    bool inherited() const noexcept override { return true; }
};

class censor : public costar::middleware {
public:
    bool receiving(costar::context&, costar::message& taken) override
    {
        return !taken.is<letter>() || taken.get<letter>().text != "secret";
    }
};

costar::task<> reader(costar::context& self)
{
    while (auto message = co_await self.receive())
        message.match([&](letter& m) { fmt::print("{}: reads '{}'\n", self.name(), m.text); });
}

costar::task<> postman(costar::context& self)
{
    const auto to = self.spawn("reader", {.middleware = {std::make_shared<censor>()}}, reader);
    self.send(to, letter{"hello"});
    self.send(to, letter{"secret"});
    co_await self.poison(to);
}

int main()
{
    costar::engine engine({.strands = 1});
    const auto pid = engine.spawn("postman", {.middleware = {std::make_shared<diary>()}}, postman);
    engine.wait(pid, boost::asio::use_future).get();
}
