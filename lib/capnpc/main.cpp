// SPDX-License-Identifier: MIT

// The compiler plugin: reads what Cap'n Proto's compiler says of a schema, and writes C++ messages, mappings,
// clients and servers into the folder where it runs.
//
// Run:  capnp compile -ocapnpc-costar:OUTPUT greeting.capnp

#include "file_writer.hpp"
#include "request.hpp"

#include <capnp/serialize.h>

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <unistd.h>

namespace capnpc = costar::capnpc;

namespace {

void say(const std::string& line)
{
    std::fputs((line + '\n').c_str(), stderr);
}

int run()
{
    capnp::ReaderOptions options;
    options.traversalLimitInWords = std::uint64_t{1} << 32;
    capnp::StreamFdMessageReader input(STDIN_FILENO, options);
    const auto from = input.getRoot<capnp::schema::CodeGeneratorRequest>();
    const capnpc::request request(from);
    int result = 0;
    for (const auto file : from.getRequestedFiles()) {
        for (const std::string& each : capnpc::write_file(request, file)) {
            say(each);
            result = 1;
        }
    }
    return result;
}

}  // namespace

int main()
{
    try {
        return run();
    } catch (const std::exception& failure) {
        say(fmt::format("capnpc-costar: {}", failure.what()));
    } catch (const kj::Exception& failure) {
        say(fmt::format("capnpc-costar: {}", failure.getDescription().cStr()));
    }
    return 1;
}
