// SPDX-License-Identifier: MIT

// Actors that find their state again, by middleware that keeps it in a file.
//
// Run:     build/demos/18_persistence
// Prints:  what an account holds in its first life and in its second.
// Teaches: load at the start, store at the end, in one place for all classes that can say what they hold.

#include <costar/actor/engine.hpp>
#include <costar/kernel/middleware.hpp>

#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace json = boost::json;

struct deposit {
    int amount;
};
struct balance {
    using reply = int;
};

// Messages between an actor and what keeps its state.
struct restore {
    json::value state;
};

class json_file : public costar::middleware {
public:
    explicit json_file(std::filesystem::path folder) : folder_(std::move(folder)) {}

    void started(costar::context& self) override
    {
        std::ifstream file(path_of(self));
        std::stringstream text;
        text << file.rdbuf();
        if (file)
            self.send(self.pid(), restore{json::parse(text.str())});  // in front of what comes later
    }

    void store(const std::string& name, const json::value& state) const
    {
        std::ofstream(folder_ / (name + ".json")) << json::serialize(state);
    }

private:
    std::filesystem::path path_of(costar::context& self) const { return folder_ / (self.name() + ".json"); }

    std::filesystem::path folder_;
};

struct account {
    explicit account(std::shared_ptr<json_file> file) : file(std::move(file)) {}

    void operator()(restore m) { cents = m.state.at("cents").to_number<int>(); }
    void operator()(deposit m) { cents += m.amount; }
    int operator()(balance) const { return cents; }
    void stopping(costar::context& self) { file->store(self.name(), json::object{{"cents", cents}}); }

    std::shared_ptr<json_file> file;
    int cents = 0;
};

int main()
{
    const auto folder = std::filesystem::temp_directory_path() / "costar_persistence_demo";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    const auto file = std::make_shared<json_file>(folder);

    costar::engine engine;
    for (int life = 1; life <= 2; ++life) {
        const auto alice = engine.spawn<account>("alice", {.middleware = {file}}, file);
        engine.send(alice, deposit{100});
        fmt::print("life {}: {}\n", life, engine.ask(alice, balance{}, boost::asio::use_future).get());
        engine.poison(alice, boost::asio::use_future).get();
    }
    std::filesystem::remove_all(folder);
}
