// SPDX-License-Identifier: MIT

#include "room.hpp"

#include "text.hpp"

#include <costar/actor/engine.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat.costar.hpp"  // made of ../chat.capnp by capnpc-costar

namespace chat {

using costar::pid;

namespace {

bool is_nick(std::string_view text) noexcept
{
    return !text.empty() && text.size() <= nick_bytes_max && is_plain(text) &&
        text.find_first_of(" :/*<>") == std::string_view::npos;
}

/// Those who are in the room, in the order in which they came.
class company {
public:
    explicit company(costar::context& self) : self_(self) {}

    entry admit(pid who, const join& wish)
    {
        if (!is_nick(wish.nick))
            return {.refusal = fmt::format("a nick has 1 to {} bytes, without spaces, colons, slashes, "
                                           "asterisks and angle brackets",
                        nick_bytes_max)};
        if (std::ranges::find(guests_, wish.nick, &guest::nick) != guests_.end())
            return {.refusal = fmt::format("somebody is called {} already", wish.nick)};
        if (is_in(who))
            return {.refusal = "you are in already"};
        if (guests_.size() >= people_max)
            return {.refusal = "the room is full"};
        entry admitted{.others = nicks()};
        tell(came{wish.nick});
        guests_.push_back({who, wish.nick});
        self_.watch(who);
        return admitted;
    }

    std::string pass_on(pid who, const say& words)
    {
        const auto speaker = std::ranges::find(guests_, who, &guest::who);
        if (speaker == guests_.end())
            return "you are not in";
        if (words.text.empty() || words.text.size() > text_bytes_max)
            return fmt::format("what you say has 1 to {} bytes", text_bytes_max);
        if (!is_plain(words.text))
            return "what you say is UTF-8, without control characters";
        tell(said{speaker->nick, words.text});
        return {};
    }

    void let_go(pid who, const leave& goodbye)
    {
        const bool is_told = goodbye.reason.size() <= text_bytes_max && is_plain(goodbye.reason);
        if (const std::string nick = take_out(who); !nick.empty())
            tell(left{nick, is_told ? goodbye.reason : std::string()});
        self_.unwatch(who);
    }

    void lose(pid who)
    {
        if (const std::string nick = take_out(who); !nick.empty())
            tell(gone{nick});
    }

    std::vector<std::string> nicks() const
    {
        std::vector<std::string> all;
        for (const guest& each : guests_)
            all.push_back(each.nick);
        return all;
    }

private:
    struct guest {
        pid who;
        std::string nick;
    };

    bool is_in(pid who) const { return std::ranges::find(guests_, who, &guest::who) != guests_.end(); }

    /// The nick of who was in until now; empty for somebody else.
    std::string take_out(pid who)
    {
        const auto found = std::ranges::find(guests_, who, &guest::who);
        if (found == guests_.end())
            return {};
        std::string nick = std::move(found->nick);
        guests_.erase(found);
        return nick;
    }

    template <class News>
    void tell(const News& news)
    {
        for (const guest& each : guests_)
            self_.send(each.who, News(news));
    }

    costar::context& self_;
    std::vector<guest> guests_;
};

}  // namespace

costar::wire::dictionary all_words()
{
    costar::wire::dictionary words;
    words.add<join, say, who, leave>().add<said, came, left, gone>();
    return words;
}

costar::task<> room(costar::context& self)
{
    company people(self);
    while (costar::message m = co_await self.receive()) {
        const pid sender = m.sender();
        m.match([&](const join& wish) { return people.admit(sender, wish); },
            [&](const say& words) { return people.pass_on(sender, words); },
            [&](const who&) { return present{people.nicks()}; },
            [&](const leave& goodbye) { people.let_go(sender, goodbye); },
            [&](const costar::terminated& end) { people.lose(end.who); });
    }
}

}  // namespace chat
