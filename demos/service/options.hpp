// SPDX-License-Identifier: MIT

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace service {

/// What the command line chooses.
struct options {
    std::uint16_t port = 8080;             ///< on 127.0.0.1; 0 takes a free one
    std::size_t strands = 0;               ///< 0 means one for each core
    std::chrono::milliseconds run_for{0};  ///< 0 means until it is told to stop

    std::chrono::milliseconds idle_limit =
        std::chrono::seconds(60);  ///< between two requests of a connection
    std::chrono::milliseconds request_limit =
        std::chrono::seconds(10);  ///< from a request's first byte to its last
    std::chrono::milliseconds answer_limit =
        std::chrono::seconds(5);  ///< for what actors are asked, and for writing
    std::chrono::milliseconds drain_limit = std::chrono::seconds(5);  ///< for what is in flight at the end
    std::chrono::milliseconds account_limit =
        std::chrono::minutes(1);                 ///< for an account without money, watchers and keys
    std::chrono::milliseconds restart_delay{0};  ///< before an account that crashed begins anew

    std::size_t connections_max = 10'000;
    std::size_t accounts_max = 1'000'000;

    static constexpr std::size_t keys_max = 1'000'000;  ///< Idempotency-Keys, of all accounts together
    static constexpr std::uint64_t body_bytes_max = 64 * 1024;   ///< with what a chunked body is wrapped in
    static constexpr std::uint32_t header_bytes_max = 8 * 1024;  ///< the request line and the fields
};

/// The exit code when requests were left unfinished at the end.
inline constexpr int exit_unfinished = 1;

/// The exit code for an argument or a port that cannot be used.
inline constexpr int exit_unusable = 2;

/// Reads the command line. Without a value the program ends with `exit_code`; what there is to say has been
/// said.
std::optional<options> read_options(std::string_view program, int argc, char** argv, int& exit_code);

/// Reads "5s", "500ms", "2m". Nothing for what is not a duration above zero.
std::optional<std::chrono::milliseconds> read_duration(std::string_view text);

}  // namespace service
